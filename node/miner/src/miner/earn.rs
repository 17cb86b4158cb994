//! The loop that runs the machine of earning, and what it does.

use std::{collections::BTreeMap, sync::Arc};

use hearth_base::ServiceId;
use hearth_pocket::Address;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use super::{Command, LOOK_EVERY, Miner, TELL_EVERY};
use crate::{
    admit::Admission,
    driver::{Driver, Memory},
    earning::{EarningEffect, EarningEvent, EarningState, Reason, ReasonCode, step},
    events::{MinerEvent, Running},
    serve::{Listener, Places, Server},
    sessions::Sessions,
    supplier::{Supplier, Suppliers},
};

impl Miner {
    /// Runs the machine of earning.
    pub(super) async fn earn(self, mut queue: mpsc::Receiver<Command>) {
        let mut listener: Option<Listener> = None;
        let mut running = self.0.running.subscribe();
        let mut trouble = self.0.trouble.subscribe();
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut quiet_until = Instant::now();
        let mut first = self.was_wanted().await.then_some(EarningEvent::Start);
        loop {
            let event = tokio::select! {
                Some(event) = async { first.take() }, if first.is_some() => event,
                command = queue.recv() => match command {
                    None => return,
                    Some(Command::Event(event)) => {
                        self.keep_wanted(&event).await;
                        event
                    }
                    Some(Command::Prepared(Ok(ready))) => {
                        if self.0.earning.borrow().state == EarningState::Starting {
                            listener = Some(ready);
                        } else {
                            ready.stop();
                        }
                        EarningEvent::Ready
                    }
                    Some(Command::Prepared(Err(reason))) => EarningEvent::NotReady(reason),
                },
                // Each answer changes this twice. Nobody reads that fast, so what happens meanwhile is told at once.
                () = changed(&mut running, quiet_until) => {
                    quiet_until = Instant::now() + TELL_EVERY;
                    self.tell(MinerEvent::Relays);
                    EarningEvent::Running(running.borrow_and_update().answers.len())
                }
                _ = trouble.changed() => self.look(),
                _ = look.tick() => {
                    self.take_up_suppliers().await;
                    self.look()
                }
            };
            for effect in self.step(event) {
                match effect {
                    EarningEffect::Prepare => self.prepare(),
                    EarningEffect::Close => {
                        if let Some(listener) = listener.take() {
                            listener.stop();
                        }
                    }
                }
            }
        }
    }

    /// Whether earning is to start with the program.
    async fn was_wanted(&self) -> bool {
        let kept = self.0.db.wanted().await.unwrap_or_else(|error| {
            tracing::error!(%error, "it cannot be read whether earning was on; it stays off until it is started");
            None
        });
        self.0.config.start || kept == Some(true)
    }

    /// Keeps what the owner wants for the next start.
    async fn keep_wanted(&self, event: &EarningEvent) {
        let wanted = match event {
            EarningEvent::Start => true,
            EarningEvent::Stop => false,
            EarningEvent::Looked { .. }
            | EarningEvent::Ready
            | EarningEvent::NotReady(_)
            | EarningEvent::Running(_) => return,
        };
        if let Err(error) = self.0.db.keep_wanted(wanted, self.0.clock.now_ms()).await {
            tracing::warn!(%error, wanted, "what was asked of earning holds until the program ends, but cannot be kept");
        }
    }

    fn step(&self, event: EarningEvent) -> Vec<EarningEffect> {
        let before = self.0.earning.borrow().clone();
        let (after, effects) = step(before.clone(), event, self.0.clock.now_ms());
        if after != before {
            metrics::gauge!("hearth_miner_serving").set(after.serving as f64);
            if after.state != before.state {
                tracing::info!(state = after.state.name(), why = after.why(), "earning");
            }
            self.0.earning.send_replace(after.clone());
            self.tell(MinerEvent::Earning(Box::new(after)));
        }
        effects
    }

    fn tell(&self, event: MinerEvent) {
        if self.0.events.receiver_count() > 0 {
            // The last listener may go away just now.
            let _ = self.0.events.send(event);
        }
    }

    /// Takes up the suppliers whose keys are here by now. It goes on with each for as long as the program runs: also
    /// after its key has left the wallet a claim of it may be on its way.
    async fn take_up_suppliers(&self) {
        for operator in self.0.keys.suppliers() {
            if self.0.suppliers.borrow().of(operator.as_str()).is_none() {
                self.take_up(operator).await;
            }
        }
    }

    /// Takes up what is open of a supplier, and begins to drive its claims.
    async fn take_up(&self, operator: Address) {
        let inner = &self.0;
        let supplier = Supplier::new(Arc::new(Sessions::new(
            operator,
            Arc::clone(&inner.network),
            inner.ledger.clone(),
            inner.db.clone(),
            inner.clock.clone(),
        )));
        let mut driver = Driver {
            sessions: Arc::clone(&supplier.sessions),
            network: Arc::clone(&inner.network),
            ledger: inner.ledger.clone(),
            db: inner.db.clone(),
            outbox: inner.outbox.clone(),
            clock: inner.clock.clone(),
            events: inner.events.clone(),
            outlook: supplier.outlook.clone(),
            states: BTreeMap::new(),
            memory: Memory::default(),
        };
        if let Err(error) = driver.resume().await {
            tracing::error!(operator = %supplier.operator(), %error, "open claims cannot be taken up; trying again");
            return;
        }
        inner
            .suppliers
            .send_modify(|suppliers| suppliers.add(Arc::new(supplier)));
        inner.tasks.spawn_until_stopped("claims", driver.run());
    }

    /// Gets the backend ready and takes the port, in a task of its own.
    fn prepare(&self) {
        let miner = self.clone();
        self.0.tasks.spawn_until_stopped("prepare earning", async move {
            let prepared = miner.prepared().await;
            // The miner may have stopped meanwhile.
            let _ = miner.0.commands.send(Command::Prepared(prepared)).await;
        });
    }

    async fn prepared(&self) -> Result<Listener, Reason> {
        let inner = &self.0;
        for service in inner.config.services.keys() {
            inner
                .backend
                .prepare(inner.config.model(service))
                .await
                .map_err(|error| self.not_prepared(&error))?;
        }
        inner.backend.health().well();
        let mut suppliers = inner.suppliers.subscribe();
        let syncing = |_| Reason {
            code: ReasonCode::ChainSyncing,
            fact: String::new(),
        };
        let is_there = |suppliers: &Suppliers| !suppliers.all().is_empty();
        suppliers.wait_for(is_there).await.map_err(syncing)?;
        let places = |(service, config): (&ServiceId, &crate::config::ServiceConfig)| {
            (service.clone(), Places::new(*config, self.slots(service).max(1)))
        };
        let server = Server {
            admission: Admission {
                suppliers,
                network: Arc::clone(&inner.network),
                verifier: Arc::clone(&inner.verifier),
                shared: inner.threads.shared().clone(),
            },
            config: Arc::clone(&inner.config),
            backend: Arc::clone(&inner.backend),
            places: inner.config.services.iter().map(places).collect(),
            threads: Arc::clone(&inner.threads),
            ledger: inner.ledger.clone(),
            db: inner.db.clone(),
            clock: inner.clock.clone(),
            tasks: inner.tasks.clone(),
            running: inner.running.clone(),
            counts: Arc::clone(&inner.counts),
            trouble: inner.trouble.clone(),
        };
        Listener::start(Arc::new(server)).map_err(|error| Reason {
            code: ReasonCode::PortTaken,
            fact: hearth_base::failure::chain(&error),
        })
    }
}

/// Waits for a change, and not before a moment.
async fn changed(running: &mut watch::Receiver<Running>, not_before: Instant) {
    tokio::time::sleep_until(not_before).await;
    if running.changed().await.is_err() {
        // Its sender lives as long as the miner.
        std::future::pending::<()>().await;
    }
}
