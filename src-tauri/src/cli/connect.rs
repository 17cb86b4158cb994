//! `hearth connect`: shows or writes the settings of another program, and takes them back.
//!
//! Files are written in the home of whoever runs the command; the node makes and revokes the key.

use std::{io::IsTerminal as _, net::SocketAddr};

use anyhow::Context as _;
use hearth_base::Clock;
use hearth_node::{
    config,
    connect::{
        Connection, Error, KEY_PLACEHOLDER, Line, Program, Snippet, Target, Workplace, root_of, snippets,
    },
    control::{ApiKeyList, CreatedApiKey, KeyLimits, Model, ModelKind, ModelList, NewApiKey, Scope},
};
use serde_json::{Value, json};

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, ConnectArgs},
    out::{self, Glyph, bold, dim, fit, green, red},
};

/// Models that are named where another was asked for.
const MOST_NAMED: usize = 6;

pub(super) async fn run(connect: &ConnectArgs, args: &Args, out: &Out) -> Done {
    let program = connect.program.as_deref().map(named).transpose()?;
    let place = Place::find(args).await?;
    let client = Client::connect(&place).await?;
    let places = config::places().ok_or_else(|| {
        Fault::failed("no_home", "this user has no home folder")
            .remedy("set HOME to where programs keep their settings")
    })?;
    let here = Here {
        workplace: Workplace {
            places,
            record: place.layout.connections(),
        },
        client,
        connect,
        out,
    };
    match program {
        None if connect.undo => Err(Fault::wrong_use("--undo takes a program")
            .remedy("`hearth connect` lists what is connected")
            .into()),
        None => here.list(),
        Some(program) if connect.undo => here.undo(program).await,
        Some(program) => here.connect(program).await,
    }
}

/// What the command works with.
struct Here<'a> {
    workplace: Workplace,
    client: Client,
    connect: &'a ConnectArgs,
    out: &'a Out,
}

impl Here<'_> {
    fn list(&self) -> Done {
        let mut all = Vec::new();
        for program in Program::ALL {
            let connection = self.workplace.connection(program).map_err(refused)?;
            all.push((program, self.workplace.places.has(program), connection));
        }
        if self.out.json {
            let programs: Vec<Value> = all
                .iter()
                .map(|(program, is_here, connection)| {
                    as_json(*program, *is_here, connection.as_ref(), &self.workplace)
                })
                .collect();
            self.out.value(&json!({ "programs": programs }));
            return Ok(());
        }
        for (program, is_here, connection) in &all {
            let (glyph, state) = match (connection, is_here) {
                (Some(connection), _) => (Glyph::Ok, format!("asks {}", connection.model)),
                (None, true) => (Glyph::Hollow, "found here".to_owned()),
                (None, false) => (Glyph::Hollow, String::new()),
            };
            self.out.line(&format!(
                "  {} {:<12} {:<28} {}",
                out::mark(glyph),
                program.id(),
                fit(&state, 28),
                dim(&fit(program.what(), 34))
            ));
        }
        self.out.line("");
        self.out
            .hint("`hearth connect PROGRAM` shows what it would write, and asks.");
        Ok(())
    }

    async fn connect(&self, program: Program) -> Done {
        let models: ModelList = self.client.get("/models").await?;
        let model = self.model(&models)?;
        let address: SocketAddr = self
            .client
            .base()
            .trim_start_matches("http://")
            .parse()
            .context("the address of the node is none")?;
        let target = Target {
            root: root_of(address),
            model: model.id.clone(),
            title: model.title.clone(),
            context: model.context_tokens,
            key: KEY_PLACEHOLDER.to_owned(),
        };
        if self.workplace.places.file(program).is_some() {
            self.write(program, target).await
        } else {
            self.show(program, target).await
        }
    }

    /// The model that was named, or the usual one.
    fn model<'a>(&self, models: &'a ModelList) -> Result<&'a Model, Exit> {
        let Some(name) = &self.connect.model else {
            return models.usual().ok_or_else(|| {
                Fault::not_ready(
                    "no_model",
                    "there is no model on this computer that could be asked",
                )
                .remedy("`hearth model add FILE` or `hearth model pull CID`, or name one with --model")
                .into()
            });
        };
        let Some(model) = models.models.iter().find(|model| model.id == *name) else {
            let known: Vec<&str> = models
                .models
                .iter()
                .filter(|model| model.is_for_chat())
                .map(|model| model.id.as_str())
                .take(MOST_NAMED)
                .collect();
            let fault = Fault::wrong_use(format!("there is no model \"{name}\""));
            return Err(match known.as_slice() {
                [] => fault.remedy("`hearth model list` shows what is here"),
                known => fault.remedy(format!("those that can be asked: {}", known.join(", "))),
            }
            .into());
        };
        if !model.is_for_chat() {
            return Err(
                Fault::not_ready("no_model", format!("{name} cannot be asked for an answer"))
                    .remedy("`hearth model list` shows what can")
                    .into(),
            );
        }
        if model.kind == ModelKind::Network && self.connect.daily_budget.is_none() {
            return Err(Fault::wrong_use(format!("{name} costs money for each answer"))
                .remedy("say with --daily-budget POKT how much the program may spend in a day")
                .into());
        }
        Ok(model)
    }

    /// A program with a file.
    async fn write(&self, program: Program, target: Target) -> Done {
        let preview = match self.workplace.preview(program, &target) {
            Ok(preview) => preview,
            Err(error) => {
                // What is refused here can still be done by hand.
                if !self.out.json {
                    self.print(&snippets(program, &target, Some(&self.workplace.places)));
                }
                return Err(refused(error));
            }
        };
        let path = preview.path.display().to_string();
        if !self.out.json {
            self.out.line(&format!("{}", bold(&path)));
            for line in &preview.lines {
                self.out.line(&format!("  {}", coloured(line)));
            }
        }
        if !self.is_wanted("Write it? [y/N] ") {
            if self.out.json {
                let lines: Vec<String> = preview.lines.iter().map(Line::words).collect();
                self.out.value(&json!({
                    "program": program.id(), "written": false, "path": path, "model": target.model, "diff": lines,
                }));
            } else {
                self.out.hint(&format!(
                    "Nothing was written. `hearth connect {} --yes` makes a key and writes it.",
                    program.id()
                ));
            }
            return Ok(());
        }
        let created = self.make_key(program).await?;
        let target = Target {
            key: created.secret.clone(),
            ..target
        };
        let now_ms = Clock::system().now_ms();
        let written = self
            .workplace
            .write(program, &target, &created.key.id, &preview.seen, now_ms);
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                self.forget_key(&created.key.id).await?;
                return Err(refused(error));
            }
        };
        if let Some(old) = &written.old_key_id {
            self.forget_key(old).await?;
        }
        self.say_written(program, &written.connection, &created);
        Ok(())
    }

    fn say_written(&self, program: Program, connection: &Connection, created: &CreatedApiKey) {
        let secret = (!program.keeps_key_in_file()).then_some(&created.secret);
        if self.out.json {
            self.out.value(&json!({
                "program": program.id(), "written": true, "path": connection.path, "model": connection.model,
                "key_id": connection.key_id, "key": secret,
            }));
            return;
        }
        let title = program.title();
        self.out.line(&format!(
            "{title} asks {} now. Start it anew where it runs.",
            connection.model
        ));
        if let Some(secret) = secret {
            self.out.line(&format!(
                "It asks for its key, or takes it from HEARTH_API_KEY: {secret}"
            ));
            self.out
                .hint("Shown once: keep it where only the program that needs it can read it.");
        }
        self.out.hint(&format!(
            "`hearth connect {} --undo` takes it back.",
            program.id()
        ));
    }

    /// A program without a file: what is to be copied, with a key where one is wanted.
    async fn show(&self, program: Program, mut target: Target) -> Done {
        if !self.out.json && !self.connect.yes {
            self.print(&snippets(program, &target, None));
        }
        let is_wanted = self.is_wanted("Make a key for it? [y/N] ");
        let mut key_id = None;
        if is_wanted {
            let created = self.make_key(program).await?;
            target.key = created.secret;
            key_id = Some(created.key.id);
        }
        let all = snippets(program, &target, None);
        if self.out.json {
            let all: Vec<Value> = all
                .iter()
                .map(|snippet| json!({ "label": snippet.label, "language": snippet.language, "text": snippet.text }))
                .collect();
            self.out.value(&json!({
                "program": program.id(), "written": false, "model": target.model, "key_id": key_id, "snippets": all,
            }));
        } else if is_wanted {
            self.print(&all);
            self.out
                .hint("The key is shown once. `hearth auth keys` lists it, and revokes it.");
        } else {
            self.out.hint(&format!(
                "Models of this computer need no key from here. `hearth connect {} --yes` makes one.",
                program.id()
            ));
        }
        Ok(())
    }

    async fn undo(&self, program: Program) -> Done {
        let undone = self.workplace.undo(program).map_err(refused)?;
        self.forget_key(&undone.key_id).await?;
        if self.out.json {
            self.out.value(&json!({
                "program": program.id(), "path": undone.path, "kept": undone.kept, "removed": undone.is_removed,
            }));
            return Ok(());
        }
        let path = undone.path.display();
        if undone.is_removed {
            self.out.line(&format!("{path} is gone, as before."));
        } else {
            self.out
                .line(&format!("{path} is as it was, and its key is revoked."));
        }
        for kept in &undone.kept {
            self.out
                .line(&format!("  {kept} was changed since, and stays as it is."));
        }
        Ok(())
    }

    /// Whether to go on: asked on a terminal, where nobody said so or forbade it before.
    fn is_wanted(&self, question: &str) -> bool {
        if self.connect.yes || self.connect.print || self.out.json || !std::io::stdout().is_terminal() {
            return self.connect.yes;
        }
        self.out.agrees(question).unwrap_or(false)
    }

    async fn make_key(&self, program: Program) -> anyhow::Result<CreatedApiKey> {
        let mut scopes = vec![Scope::Local, Scope::Embeddings];
        scopes.extend(self.connect.daily_budget.map(|_| Scope::Network));
        let list: ApiKeyList = self.client.get("/keys").await?;
        let new = NewApiKey {
            name: hearth_node::free_name(&list.keys, program.title()),
            limits: KeyLimits {
                scopes,
                daily_budget: self.connect.daily_budget,
                ..KeyLimits::default()
            },
        };
        self.client.post("/keys", &new).await
    }

    /// Revokes a key; one that nobody used is forgotten.
    async fn forget_key(&self, id: &str) -> anyhow::Result<()> {
        for _ in 0..2 {
            let list: ApiKeyList = self.client.get("/keys").await?;
            let Some(key) = list.keys.into_iter().find(|key| key.id == id) else {
                return Ok(());
            };
            if key.revoked_at.is_some() && key.last_used_at.is_some() {
                return Ok(());
            }
            self.client.delete(&format!("/keys/{id}")).await?;
        }
        Ok(())
    }

    fn print(&self, all: &[Snippet]) {
        for snippet in all {
            self.out.line(&format!("{}", bold(&snippet.label)));
            for line in snippet.text.lines() {
                self.out.line(&format!("  {line}"));
            }
            self.out.line("");
        }
    }
}

fn named(text: &str) -> Result<Program, Fault> {
    Program::named(text).ok_or_else(|| {
        let ids: Vec<&str> = Program::ALL.into_iter().map(Program::id).collect();
        Fault::wrong_use(format!("\"{text}\" is no program that is known here")).remedy(format!(
            "one of {}; for others `openai` shows what they need",
            ids.join(", ")
        ))
    })
}

fn refused(error: Error) -> Exit {
    let (meaning, remedy) = error.words();
    let mut fault = Fault::failed(error.code(), error.to_string());
    if !meaning.is_empty() {
        fault = fault.meaning(meaning);
    }
    if !remedy.is_empty() {
        fault = fault.remedy(remedy);
    }
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    match cause.filter(|cause| !fault.detail.message.contains(cause)) {
        Some(cause) => fault.details(cause).into(),
        None => fault.into(),
    }
}

fn as_json(program: Program, is_here: bool, connection: Option<&Connection>, workplace: &Workplace) -> Value {
    json!({
        "id": program.id(),
        "title": program.title(),
        "what": program.what(),
        "found": is_here,
        "path": workplace.places.file(program).map(|(path, _)| path),
        "connected": connection.map(|connection| json!({
            "path": connection.path, "model": connection.model, "root": connection.root, "key_id": connection.key_id,
        })),
    })
}

fn coloured(line: &Line) -> String {
    let words = line.words();
    match line {
        Line::Added(_) => green(&words).to_string(),
        Line::Removed(_) => red(&words).to_string(),
        Line::Same(_) | Line::Gap => dim(&words).to_string(),
    }
}
