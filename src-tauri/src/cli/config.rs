//! `hearth config show`.

use super::{
    Done, Out, Place,
    args::{Args, ConfigCommand},
    out::dim,
};

pub(super) async fn run(command: &ConfigCommand, args: &Args, out: &Out) -> Done {
    let ConfigCommand::Show { origin } = command;
    let place = Place::find(args).await?;
    if out.json {
        out.value(&place.layered.origins);
        return Ok(());
    }
    for (key, (value, from)) in &place.layered.origins {
        let value = if value.is_null() {
            "(none)".to_owned()
        } else {
            value.to_string()
        };
        if *origin {
            out.line(&format!("{key} = {value}  {}", dim(&format!("# {from}"))));
        } else {
            out.line(&format!("{key} = {value}"));
        }
    }
    Ok(())
}
