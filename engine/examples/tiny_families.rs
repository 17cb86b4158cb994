//! Writes a tiny model of each family into a folder, for the oracle in `tests/oracle/families.py`.

use std::path::PathBuf;

use hearth_engine::testing::{FAMILIES, family_gguf};

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| std::io::Error::other("give the folder that they are written to"))?;
    for family in FAMILIES {
        std::fs::write(folder.join(format!("{family}.gguf")), family_gguf(family).bytes())?;
    }
    Ok(())
}
