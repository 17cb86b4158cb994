//! A chat in the terminal. It is one of the node's conversations, so that the page shows it, too.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use eventsource_stream::Eventsource as _;
use futures::StreamExt as _;
use hearth_node::control::{
    AnswerEvent, AnswerParams, Conversation, ConversationList, ConversationPatch, ErrorDetail, Message,
    MessageRole, Model, ModelKind, ModelList, NewAnswer, NewConversation,
};
use rustyline::{DefaultEditor, error::ReadlineError};

use super::{
    choose,
    input::{Command, Gatherer, HELP, Input},
    params,
    render::{Piece, Splitter, branch, ending, markdown, receipt, shown},
};
use crate::cli::{
    Client, Done, Exit, Fault, Out,
    args::ChatArgs,
    fault::FAILED,
    out::{bold, dim, fit, pokt},
};

/// Chats that `/list` shows.
const LISTED: usize = 20;
/// Lines that are remembered.
const MOST_HISTORY: usize = 1000;

/// The chat as it stands.
pub(super) struct Talk<'a> {
    client: &'a Client,
    out: &'a Out,
    model: String,
    system: Option<String>,
    params: AnswerParams,
    /// `None` until the first question: a chat without one is not kept.
    conversation: Option<String>,
    /// The last question, for another answer to it.
    question: Option<String>,
    /// What `/list` and `/model` numbered last.
    listed: Vec<String>,
    models: Vec<String>,
}

/// Talks until the person leaves. `history` is where typed lines are kept.
pub(super) async fn run(chat: &ChatArgs, client: &Client, history: &Path, out: &Out) -> Done {
    let models: ModelList = client.get("/models").await?;
    let model = choose(chat, &models.models)?;
    let mut talk = Talk {
        client,
        out,
        system: None,
        params: AnswerParams {
            temperature: chat.temperature,
            max_tokens: chat.max_tokens,
            ..AnswerParams::default()
        },
        conversation: None,
        question: None,
        listed: Vec::new(),
        models: Vec::new(),
        model,
    };
    talk.say_model(&models.models);
    out.hint("/help lists what can be typed, Ctrl-D leaves.");
    let mut editor = editor(history)?;
    let mut gatherer = Gatherer::default();
    loop {
        let prompt = if gatherer.is_open() { "… " } else { "› " };
        // The editor waits for keys on this thread; answers run on others.
        let line = tokio::task::block_in_place(|| editor.readline(prompt));
        let line = match line {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                gatherer.clear();
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => {
                return Err(anyhow::Error::from(error)
                    .context("the line cannot be read")
                    .into());
            }
        };
        if !line.trim().is_empty() {
            remember(&mut editor, history, &line);
        }
        let Some(input) = gatherer.take(&line) else {
            continue;
        };
        match talk.take(input).await {
            Ok(Next::Go) => {}
            Ok(Next::Leave) => return Ok(()),
            // What went wrong with one answer ends no chat.
            Err(Exit::Fault(fault)) => out.fault(&fault.detail),
            Err(Exit::Said(_)) => {}
        }
    }
}

fn editor(history: &Path) -> anyhow::Result<DefaultEditor> {
    let config = rustyline::Config::builder()
        .max_history_size(MOST_HISTORY)
        .and_then(|config| config.history_ignore_dups(true))
        .context("the line editor cannot be set up")?
        // What begins with a space is not kept, as in shells.
        .history_ignore_space(true)
        .build();
    let mut editor = DefaultEditor::with_config(config).context("the terminal cannot be read")?;
    // The first chat has none; one that cannot be read is begun anew.
    let _ = editor.load_history(history);
    Ok(editor)
}

/// Keeps a line for the next time. A full disk must not end a chat.
fn remember(editor: &mut DefaultEditor, history: &Path, line: &str) {
    if editor.add_history_entry(line).unwrap_or(false) && make_private(history).is_ok() {
        let _ = editor.save_history(history);
    }
}

/// What is typed into a chat is nobody else's business, from the first byte on.
fn make_private(history: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(history)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    drop(file);
    Ok(())
}

/// Whether the chat goes on.
enum Next {
    Go,
    Leave,
}

impl Talk<'_> {
    async fn take(&mut self, input: Input) -> Result<Next, Exit> {
        match input {
            Input::Nothing => {}
            Input::Question(content) => {
                let ask = NewAnswer {
                    content: Some(content),
                    ..NewAnswer::default()
                };
                self.answer(ask).await?;
            }
            Input::Unknown(word) => {
                return Err(Fault::wrong_use(format!("{word} is no command"))
                    .remedy("/help lists them; two slashes begin a question with one")
                    .into());
            }
            Input::Command(Command::Quit) => return Ok(Next::Leave),
            Input::Command(command) => self.command(command).await?,
        }
        Ok(Next::Go)
    }

    async fn command(&mut self, command: Command) -> Done {
        match command {
            Command::Help | Command::Quit => {
                for (typed, does) in HELP {
                    self.out.line(&format!("  {typed:<28} {}", dim(does)));
                }
            }
            Command::New => {
                self.conversation = None;
                self.question = None;
                self.out.hint("Another chat begins with the next question.");
            }
            Command::List(words) => self.list(&words).await?,
            Command::Open(which) => self.open(&which).await?,
            Command::Model(which) => self.choose_model(&which).await?,
            Command::System(text) => self.set_system(text).await?,
            Command::Params(text) => {
                if !text.is_empty() {
                    self.params = params::changed(&self.params, &text).map_err(Fault::wrong_use)?;
                }
                self.out.hint(&params::words(&self.params));
            }
            Command::Again => self.again().await?,
            Command::Save(file) => self.save(&file).await?,
        }
        Ok(())
    }

    /// Which model answers, and what that costs.
    fn say_model(&self, models: &[Model]) {
        let found = models.iter().find(|model| model.id == self.model);
        let about = match found {
            Some(model) if model.kind == ModelKind::Network => match model.price_per_answer {
                Some(price) => format!("{} POKT an answer, on the network", pokt(price.0)),
                None => "on the network".to_owned(),
            },
            Some(model) if model.kind == ModelKind::Server => "free, on a server of yours".to_owned(),
            Some(_) => "free, on this computer".to_owned(),
            None => String::new(),
        };
        self.out.line(&format!("{} {}", bold(&self.model), dim(&about)));
    }

    async fn list(&mut self, words: &str) -> anyhow::Result<()> {
        let query: String = words.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/conversations?limit={LISTED}&q={query}");
        let list: ConversationList = self.client.get(&path).await?;
        if list.conversations.is_empty() {
            self.out.hint("There is no such chat.");
        }
        for (at, chat) in list.conversations.iter().enumerate() {
            let here = if self.conversation.as_ref() == Some(&chat.id) {
                "*"
            } else {
                " "
            };
            self.out.line(&format!(
                "{here}{:>3}  {:<44} {}",
                at + 1,
                fit(&shown(&chat.title).replace('\n', " "), 44),
                dim(&format!("{} · {}", chat.updated_at.0.date(), chat.messages))
            ));
        }
        self.listed = list.conversations.into_iter().map(|chat| chat.id).collect();
        Ok(())
    }

    async fn open(&mut self, which: &str) -> Done {
        if self.listed.is_empty() && which.parse::<usize>().is_ok() {
            let list: ConversationList = self.client.get(&format!("/conversations?limit={LISTED}")).await?;
            self.listed = list.conversations.into_iter().map(|chat| chat.id).collect();
        }
        let id = numbered(&self.listed, which).ok_or_else(|| {
            Fault::wrong_use(format!("\"{which}\" is no chat of the list"))
                .remedy("/list numbers them, /open 2 opens the second")
        })?;
        let chat: Conversation = self.client.get(&format!("/conversations/{id}")).await?;
        let shown_branch = branch(&chat.messages, chat.head_id.as_deref());
        let last = shown_branch
            .iter()
            .rposition(|message| message.role == MessageRole::User);
        self.out.line(&format!("{}", bold(&shown(&chat.title))));
        if let Some(last) = last {
            self.out
                .line(&format!("› {}", shown(&shown_branch[last].content)));
            for answer in &shown_branch[last + 1..] {
                self.print_whole(&answer.content);
            }
            self.question = Some(shown_branch[last].id.clone());
        } else {
            self.question = None;
        }
        self.conversation = Some(chat.id);
        self.system = chat.system_prompt;
        if let Some(model) = chat.model {
            self.model = model;
        }
        self.out.hint(&format!("{} answers.", self.model));
        Ok(())
    }

    async fn choose_model(&mut self, which: &str) -> Done {
        let list: ModelList = self.client.get("/models").await?;
        let usable: Vec<&Model> = list.models.iter().filter(|model| model.is_for_chat()).collect();
        if which.is_empty() {
            for (at, model) in usable.iter().enumerate() {
                let here = if model.id == self.model { "*" } else { " " };
                let price = model
                    .price_per_answer
                    .map(|price| format!("{} POKT", pokt(price.0)));
                self.out.line(&format!(
                    "{here}{:>3}  {:<44} {}",
                    at + 1,
                    fit(&model.id, 44),
                    dim(price.as_deref().unwrap_or("free"))
                ));
            }
            self.models = usable.iter().map(|model| model.id.clone()).collect();
            return Ok(());
        }
        let named = usable
            .iter()
            .find(|model| model.id == which)
            .map(|model| model.id.clone());
        let chosen = named.or_else(|| numbered(&self.models, which)).ok_or_else(|| {
            Fault::wrong_use(format!("there is no model \"{which}\" to ask")).remedy("/model lists them")
        })?;
        self.model.clone_from(&chosen);
        if let Some(id) = &self.conversation {
            let patch = ConversationPatch {
                model: Some(chosen),
                ..ConversationPatch::default()
            };
            let _: Conversation = self.client.patch(&format!("/conversations/{id}"), &patch).await?;
        }
        self.say_model(&list.models);
        Ok(())
    }

    async fn set_system(&mut self, text: String) -> Done {
        if !text.is_empty() {
            let text = if text == "none" { String::new() } else { text };
            if let Some(id) = &self.conversation {
                let patch = ConversationPatch {
                    system_prompt: Some(text.clone()),
                    ..ConversationPatch::default()
                };
                let _: Conversation = self.client.patch(&format!("/conversations/{id}"), &patch).await?;
            }
            self.system = Some(text).filter(|text| !text.is_empty());
        }
        match &self.system {
            Some(text) => self.out.line(&shown(text)),
            None => self
                .out
                .hint("The model is told nothing first, or what Settings say."),
        }
        Ok(())
    }

    async fn again(&mut self) -> Done {
        let question = self
            .question
            .clone()
            .ok_or_else(|| Fault::wrong_use("nothing was asked in this chat yet"))?;
        let ask = NewAnswer {
            parent_id: Some(question),
            ..NewAnswer::default()
        };
        self.answer(ask).await
    }

    async fn save(&self, file: &str) -> Done {
        if file.is_empty() {
            return Err(Fault::wrong_use("/save takes the name of a file").into());
        }
        let id = self
            .conversation
            .as_ref()
            .ok_or_else(|| Fault::wrong_use("nothing was asked in this chat yet"))?;
        let chat: Conversation = self.client.get(&format!("/conversations/{id}")).await?;
        let text = markdown(
            &chat.title,
            chat.system_prompt.as_deref(),
            &branch(&chat.messages, chat.head_id.as_deref()),
        );
        // What is there already is somebody's.
        let mut options = fs::OpenOptions::new();
        let written = options.write(true).create_new(true).open(in_home(file));
        written
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| {
                Fault::failed("unwritable", format!("{file} cannot be written"))
                    .remedy("name a file that is not there yet, in a folder where you may write")
                    .details(error.to_string())
            })?;
        self.out.hint(&format!("{file} has the chat."));
        Ok(())
    }

    /// Asks, and shows the answer as it comes.
    async fn answer(&mut self, ask: NewAnswer) -> Done {
        let id = match &self.conversation {
            Some(id) => id.clone(),
            None => {
                let new = NewConversation {
                    model: Some(self.model.clone()),
                    system_prompt: self.system.clone(),
                    ..NewConversation::default()
                };
                let made: Conversation = self.client.post("/conversations", &new).await?;
                self.conversation = Some(made.id.clone());
                made.id
            }
        };
        let ask = NewAnswer {
            model: Some(self.model.clone()),
            params: Some(self.params.clone()),
            ..ask
        };
        let response = self
            .client
            .openai(&format!("/api/v1/conversations/{id}/answers"), &ask)
            .await?;
        let mut events = response.bytes_stream().eventsource();
        let (mut splitter, mut running) = (Splitter::default(), None);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = tokio::signal::ctrl_c() => {
                    let Some(answer) = running.take() else {
                        // Asked for a second time: it is not waited for any more.
                        self.out.line("");
                        return Err(Exit::Said(FAILED));
                    };
                    self.client.delete(&format!("/conversations/{id}/answers/{answer}")).await?;
                    continue;
                }
            };
            let event = event
                .context("the answer broke off before its end")?
                .context("the answer broke off")?;
            let event: AnswerEvent = serde_json::from_str(&event.data)
                .context("the daemon's answer is not what this version expects")?;
            match event {
                AnswerEvent::Started { question, answer } => {
                    if let Some(question) = question {
                        self.question = Some(question.id);
                    }
                    running = Some(answer.id);
                }
                AnswerEvent::Delta { text } => self.print(splitter.push(&text)),
                AnswerEvent::Finished { answer } => {
                    self.print(splitter.end());
                    self.finished(&answer);
                    return Ok(());
                }
                AnswerEvent::Failed { answer, error } => {
                    self.print(splitter.end());
                    self.finished(&answer);
                    return Err(failed(error));
                }
            }
        }
    }

    fn print(&self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Reasoning(text) => self.out.stream(&dim(&shown(&text)).to_string()),
                Piece::Answer(text) => self.out.stream(&shown(&text)),
            }
        }
    }

    fn print_whole(&self, content: &str) {
        let mut splitter = Splitter::default();
        self.print(splitter.push(content));
        self.print(splitter.end());
        self.out.line("");
    }

    fn finished(&self, answer: &Message) {
        self.out.line("");
        if let Some(words) = ending(answer.state) {
            self.out.hint(words);
        }
        if let Some(of) = &answer.receipt {
            self.out
                .hint(&receipt(answer.model.as_deref().unwrap_or(&self.model), of));
        }
    }
}

fn failed(detail: ErrorDetail) -> Exit {
    Fault { exit: FAILED, detail }.into()
}

/// The entry of a list that was numbered from 1.
fn numbered(list: &[String], which: &str) -> Option<String> {
    let at = which.trim().parse::<usize>().ok()?.checked_sub(1)?;
    list.get(at).cloned()
}

/// A file's name as a shell reads it: `~/` is the folder of this user.
fn in_home(file: &str) -> PathBuf {
    match (file.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(file),
    }
}
