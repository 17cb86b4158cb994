//! Stakes that come back.
//!
//! No transaction says so, only an event of the block in which the unbonding ends. That block is known as soon as the
//! stake leaves, so it alone is asked for, once it is there. An event stands on the endpoint's word: it is told, and
//! decides nothing.

use std::{collections::BTreeSet, sync::Arc};

use hearth_base::{Amount, Height, Tasks};
use hearth_chain::{BlockEvents, Chain, ChainEvent, QueryError};
use hearth_pocket::{
    Address,
    message::{Coin, shared::Params},
};
use hearth_store::{SqlitePool, Store};
use parking_lot::Mutex;

use crate::order::Role;

/// The block in which a stake is back whose role ends with the block `until`.
#[must_use]
pub fn free_height(until: u64, sessions: u64, shared: &Params) -> u64 {
    until.saturating_add(sessions.saturating_mul(shared.num_blocks_per_session))
}

/// A stake on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    pub role: Role,
    pub address: Address,
    /// The block in which it comes back.
    pub free_height: u64,
    pub amount: Amount,
    /// Who gets it: of a supplier its owner.
    pub to: String,
}

/// A stake that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    pub role: Role,
    pub address: String,
    pub height: Height,
    pub amount: Amount,
    /// Who got it; `None`: an earlier Hearth did not keep it, and no endpoint has the block any more.
    pub account: Option<String>,
}

/// What an event says of a stake that came back: how much, and to whom.
#[derive(Debug, PartialEq, Eq)]
struct Back {
    amount: Amount,
    account: String,
}

/// What leaves and what came back, in the database.
#[derive(Clone)]
pub struct Returns {
    pool: SqlitePool,
    chain: Chain,
    /// What was looked at anew in this run, since a liar told it.
    doubted: Arc<Mutex<BTreeSet<(String, String, i64)>>>,
}

impl Returns {
    #[must_use]
    pub fn new(store: &Store, chain: Chain) -> Returns {
        Returns {
            pool: store.pool().clone(),
            chain,
            doubted: Arc::default(),
        }
    }

    /// Looks at the blocks in which stakes come back, as they are made.
    pub fn start(&self, tasks: &Tasks) {
        let returns = self.clone();
        tasks.spawn_until_stopped("returned stakes", async move {
            let mut head = returns.chain.head();
            if let Err(error) = returns.name_accounts().await {
                tracing::debug!(%error, "who got a stake back cannot be found out");
            }
            while head.changed().await.is_ok() {
                if let Err(error) = returns.look().await {
                    // The next block asks again.
                    tracing::debug!(%error, "a stake that may have come back cannot be looked at");
                }
            }
        });
    }

    /// Notes what is on its way back.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn note(&self, leaving: &[Leaving]) -> Result<(), sqlx::Error> {
        for one in leaving {
            sqlx::query(
                "INSERT INTO stake_return (role, address, free_height, amount_upokt, account) VALUES (?, ?, ?, ?, ?) \
                 ON CONFLICT (role, address, free_height) DO UPDATE SET amount_upokt = excluded.amount_upokt, \
                 account = excluded.account WHERE is_back = 0",
            )
            .bind(one.role.word())
            .bind(one.address.as_str())
            .bind(one.free_height.cast_signed())
            .bind(one.amount.upokt().to_string())
            .bind(&one.to)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// What came back, the newest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn all(&self) -> Result<Vec<Returned>, sqlx::Error> {
        let rows: Vec<(String, String, i64, String, Option<String>)> = sqlx::query_as(
            "SELECT role, address, free_height, amount_upokt, account FROM stake_return WHERE is_back = 1 \
             ORDER BY free_height DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |(role, address, height, amount, account): (String, String, i64, String, _)| {
            let role = role_of(&role)?;
            Some(Returned {
                role,
                // Only a supplier may be another account's.
                account: match role {
                    Role::Supplier => account,
                    Role::Application | Role::Gateway => account.or(Some(address.clone())),
                },
                address,
                height: Height(height.cast_unsigned()),
                amount: amount.parse().ok()?,
            })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Looks at the blocks that are there by now, and anew at those of which a liar spoke.
    async fn look(&self) -> Result<(), LookError> {
        let head = self.chain.head().borrow().height.0;
        let due: Vec<Due> = sqlx::query_as(
            "SELECT role, address, free_height, endpoint FROM stake_return WHERE is_back = 0 AND free_height <= ?",
        )
        .bind(head.cast_signed())
        .fetch_all(&self.pool)
        .await?;
        for one in due {
            self.ask(&one).await?;
        }
        let liars = liars(&self.chain).await;
        for one in self.told(&liars).await? {
            self.ask(&one).await?;
            self.doubted.lock().insert(one.key());
        }
        Ok(())
    }

    /// What one of these endpoints told, and was not looked at anew in this run.
    async fn told(&self, endpoints: &BTreeSet<String>) -> Result<Vec<Due>, sqlx::Error> {
        if endpoints.is_empty() {
            return Ok(Vec::new());
        }
        let told: Vec<Due> = sqlx::query_as(
            "SELECT role, address, free_height, endpoint FROM stake_return WHERE is_back = 1 AND endpoint IS NOT NULL",
        )
        .fetch_all(&self.pool)
        .await?;
        let doubted = self.doubted.lock();
        let is_it = |one: &Due| {
            one.endpoint.as_ref().is_some_and(|told| endpoints.contains(told))
                && !doubted.contains(&one.key())
        };
        Ok(told.into_iter().filter(is_it).collect())
    }

    /// Finds out who got what came back before that was kept.
    async fn name_accounts(&self) -> Result<(), LookError> {
        let unnamed: Vec<Due> = sqlx::query_as(
            "SELECT role, address, free_height, endpoint FROM stake_return WHERE is_back = 1 AND role = 'supplier' \
             AND account IS NULL",
        )
        .fetch_all(&self.pool)
        .await?;
        for one in unnamed {
            self.ask(&one).await?;
        }
        Ok(())
    }

    /// Looks whether a stake came back in its block. What no endpoint has any more changes nothing.
    async fn ask(&self, due: &Due) -> Result<(), LookError> {
        let events = self
            .chain
            .events_of(Height(due.free_height.cast_unsigned()))
            .await?;
        if !events.complete {
            return Ok(());
        }
        let back = role_of(&due.role).and_then(|role| came_back(&events, role, &due.address));
        self.keep(due, back, &events.endpoint).await?;
        Ok(())
    }

    async fn keep(&self, due: &Due, back: Option<Back>, endpoint: &str) -> Result<(), sqlx::Error> {
        match back {
            Some(back) => sqlx::query(
                "UPDATE stake_return SET is_back = 1, amount_upokt = ?, account = coalesce(?, account), endpoint = ? \
                 WHERE role = ? AND address = ? AND free_height = ?",
            )
            .bind(back.amount.upokt().to_string())
            .bind(Some(back.account).filter(|account| !account.is_empty()))
            .bind(endpoint.to_owned()),
            // It was staked again before that.
            None => sqlx::query("DELETE FROM stake_return WHERE role = ? AND address = ? AND free_height = ?"),
        }
        .bind(&due.role)
        .bind(&due.address)
        .bind(due.free_height)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// A stake that may have come back.
#[derive(Debug, sqlx::FromRow)]
struct Due {
    role: String,
    address: String,
    free_height: i64,
    endpoint: Option<String>,
}

impl Due {
    fn key(&self) -> (String, String, i64) {
        (self.role.clone(), self.address.clone(), self.free_height)
    }
}

/// The endpoints of which false answers are known.
pub(crate) async fn liars(chain: &Chain) -> BTreeSet<String> {
    let endpoints = chain.endpoints().into_iter();
    let lied = endpoints.filter(|one| one.lies > 0).map(|one| one.name);
    // What an earlier run found is in the database; where that does not answer, this run's are enough.
    let kept = chain.evidence().await.unwrap_or_default();
    lied.chain(kept.into_iter().map(|one| one.endpoint)).collect()
}

#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// What a block gave back to an address in a role.
fn came_back(events: &BlockEvents, role: Role, address: &str) -> Option<Back> {
    events
        .events
        .iter()
        .find_map(|event| ended(&event.event, role, address))
}

fn ended(event: &ChainEvent, role: Role, address: &str) -> Option<Back> {
    let is = |wanted: Role, found: &str| wanted == role && found == address;
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign list of events, of which three concern us"
    )]
    let (coin, account): (Option<&Coin>, &str) = match event {
        ChainEvent::SupplierUnbondingEnd(end) => {
            let one = end.supplier.as_ref();
            let one = one.filter(|one| is(Role::Supplier, &one.operator_address))?;
            (one.stake.as_ref(), &one.owner_address)
        }
        ChainEvent::ApplicationUnbondingEnd(end) => {
            let one = end.application.as_ref();
            let one = one.filter(|one| is(Role::Application, &one.address))?;
            (one.stake.as_ref(), &one.address)
        }
        ChainEvent::GatewayUnbondingEnd(end) => {
            let one = end.gateway.as_ref();
            let one = one.filter(|one| is(Role::Gateway, &one.address))?;
            (one.stake.as_ref(), &one.address)
        }
        _ => return None,
    };
    Some(Back {
        amount: coin?.amount.parse().ok()?,
        account: account.to_owned(),
    })
}

fn role_of(word: &str) -> Option<Role> {
    [Role::Supplier, Role::Application, Role::Gateway]
        .into_iter()
        .find(|role| role.word() == word)
}

#[cfg(test)]
mod tests {
    use hearth_pocket::message::{
        application::{Application, EventApplicationUnbondingEnd},
        shared::Supplier,
        supplier::EventSupplierUnbondingEnd,
    };

    use super::*;

    fn coin(amount: &str) -> Option<Coin> {
        Some(Coin {
            denom: "upokt".to_owned(),
            amount: amount.to_owned(),
        })
    }

    #[test]
    fn only_the_end_of_this_role_of_this_address_counts() {
        let supplier = ChainEvent::SupplierUnbondingEnd(Box::new(EventSupplierUnbondingEnd {
            supplier: Some(Supplier {
                operator_address: "pokt1op".to_owned(),
                owner_address: "pokt1owner".to_owned(),
                stake: coin("60"),
                ..Supplier::default()
            }),
            ..EventSupplierUnbondingEnd::default()
        }));
        let application = ChainEvent::ApplicationUnbondingEnd(Box::new(EventApplicationUnbondingEnd {
            application: Some(Application {
                address: "pokt1op".to_owned(),
                stake: coin("7"),
                ..Application::default()
            }),
            ..EventApplicationUnbondingEnd::default()
        }));
        let of = |event: &ChainEvent, role, address: &str| {
            ended(event, role, address).map(|back| (back.amount.upokt(), back.account))
        };
        // A supplier's stake is its owner's.
        let of_owner = Some((60, "pokt1owner".to_owned()));
        assert_eq!(of(&supplier, Role::Supplier, "pokt1op"), of_owner);
        assert_eq!(of(&supplier, Role::Supplier, "pokt1other"), None);
        assert_eq!(of(&supplier, Role::Application, "pokt1op"), None);
        let own = Some((7, "pokt1op".to_owned()));
        assert_eq!(of(&application, Role::Application, "pokt1op"), own);
        for role in [Role::Supplier, Role::Application, Role::Gateway] {
            assert_eq!(role_of(role.word()), Some(role));
        }
    }

    #[tokio::test]
    async fn what_came_back_of_a_supplier_came_to_its_owner() {
        let away = crate::tests::Away::new().await;
        let address: Address = "pokt1rxtrzmca0j9mu45j75n35kcxg64ga92sh33su4".parse().unwrap();
        let leaving = |free_height, to: &str| Leaving {
            role: Role::Supplier,
            address: address.clone(),
            free_height,
            amount: Amount::from_upokt(60),
            to: to.to_owned(),
        };
        let due = |free_height| Due {
            role: Role::Supplier.word().to_owned(),
            address: address.to_string(),
            free_height,
            endpoint: None,
        };
        let back = |account: &str| {
            Some(Back {
                amount: Amount::from_upokt(59),
                account: account.to_owned(),
            })
        };
        let returns = &away.returns;
        let noted = [
            leaving(40, "pokt1before"),
            leaving(60, "pokt1owner"),
            leaving(80, "pokt1owner"),
        ];
        returns.note(&noted).await.unwrap();
        // The event says it, or else the record did; staked again in time, nothing comes back.
        returns
            .keep(&due(40), back("pokt1owner"), "one:443")
            .await
            .unwrap();
        returns.keep(&due(60), back(""), "liar:443").await.unwrap();
        returns.keep(&due(80), None, "one:443").await.unwrap();
        let came = returns.all().await.unwrap().into_iter();
        let came = came.map(|one| (one.height.0, one.account, one.amount.upokt()));
        let owner = Some("pokt1owner".to_owned());
        assert_eq!(
            came.collect::<Vec<_>>(),
            [(60, owner.clone(), 59), (40, owner, 59)]
        );
        // What a liar told is looked at anew.
        let told = returns.told(&["liar:443".to_owned()].into()).await.unwrap();
        assert_eq!(told.iter().map(|one| one.free_height).collect::<Vec<_>>(), [60]);
    }
}
