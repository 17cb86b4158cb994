//! The set-up of a devnet: the wizard's own job, step by step and visibly.
//!
//! Every step looks first at what is there and does only what is missing, so the set-up runs at each start, goes on
//! after a crash anywhere, and can be asked for again after a failure.

mod steps;

use std::sync::Arc;

use hearth_api::control::types::{Setup, SetupState, SetupStep};
use hearth_base::Tasks;
use tokio::sync::{Notify, watch};

pub(crate) use steps::{DEMO, SetupParts};

/// What steps are there, in order: id and title.
const STEPS: [(&str, &str); 9] = [
    ("model", "Check the demo model"),
    ("wallet", "Make a wallet"),
    ("faucet", "Get play money"),
    ("service", "Put the model on the network"),
    ("gateway", "Stake the gateway"),
    ("supplier", "Stake to earn"),
    ("application", "Set money aside for chat"),
    ("delegation", "Let the gateway sign for chat"),
    ("earning", "Start earning"),
];

/// The set-up as others see it.
#[derive(Clone)]
pub(crate) struct SetupRunner {
    state: watch::Sender<Setup>,
    wanted: Arc<Notify>,
}

impl SetupRunner {
    /// A network where there is nothing to set up.
    pub(crate) fn nothing() -> SetupRunner {
        let state = Setup {
            running: false,
            done: true,
            steps: Vec::new(),
        };
        SetupRunner {
            state: watch::Sender::new(state),
            wanted: Arc::default(),
        }
    }

    /// Waits for [`SetupRunner::run`], and runs at once where `automatic`.
    pub(crate) fn start(parts: SetupParts, automatic: bool, tasks: &Tasks) -> SetupRunner {
        let steps = STEPS.into_iter().map(|(id, title)| SetupStep {
            id: id.to_owned(),
            title: title.to_owned(),
            state: SetupState::Waiting,
            fact: None,
            error: None,
        });
        let state = Setup {
            // It begins with its task; nobody shall take it for one that waits to be asked.
            running: automatic,
            done: false,
            steps: steps.collect(),
        };
        let runner = SetupRunner {
            state: watch::Sender::new(state),
            wanted: Arc::default(),
        };
        let task = runner.clone();
        tasks.spawn_until_stopped("set-up", async move {
            if !automatic {
                task.wanted.notified().await;
            }
            loop {
                task.once(&parts).await;
                task.wanted.notified().await;
            }
        });
        runner
    }

    /// How it goes.
    pub(crate) fn state(&self) -> watch::Receiver<Setup> {
        self.state.subscribe()
    }

    /// Runs it, or goes on at the step that failed. One that runs is left alone.
    pub(crate) fn run(&self) {
        if !self.state.borrow().running {
            self.wanted.notify_one();
        }
    }

    async fn once(&self, parts: &SetupParts) {
        self.state.send_modify(|setup| {
            (setup.running, setup.done) = (true, false);
            for step in &mut setup.steps {
                (step.state, step.fact, step.error) = (SetupState::Waiting, None, None);
            }
        });
        for (index, (id, _)) in STEPS.into_iter().enumerate() {
            self.change(index, |step| step.state = SetupState::Running);
            match parts.step(id).await {
                Ok(fact) => {
                    tracing::info!(step = id, %fact, "set-up");
                    self.change(index, |step| {
                        step.state = SetupState::Done;
                        step.fact = Some(fact);
                    });
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(step = id, %error, "the set-up stopped");
                    self.change(index, |step| {
                        step.state = SetupState::Failed;
                        step.error = Some(error);
                    });
                    self.state.send_modify(|setup| setup.running = false);
                    return;
                }
            }
        }
        self.state
            .send_modify(|setup| (setup.running, setup.done) = (false, true));
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut SetupStep)) {
        self.state.send_modify(|setup| {
            if let Some(step) = setup.steps.get_mut(index) {
                change(step);
            }
        });
    }
}
