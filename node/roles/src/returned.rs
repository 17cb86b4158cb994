//! Stakes that come back.
//!
//! No transaction says so, only an event of the block in which the unbonding ends. That block is known as soon as the
//! stake leaves, so it alone is asked for, once it is there. An event stands on the endpoint's word: it is told, and
//! decides nothing.

use hearth_base::{Amount, Height, Tasks};
use hearth_chain::{BlockEvents, Chain, ChainEvent, QueryError};
use hearth_pocket::{
    Address,
    message::{Coin, shared::Params},
};
use hearth_store::{SqlitePool, Store};

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
}

/// A stake that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    pub role: Role,
    pub address: String,
    pub height: Height,
    pub amount: Amount,
}

/// What leaves and what came back, in the database.
#[derive(Clone)]
pub struct Returns {
    pool: SqlitePool,
    chain: Chain,
}

impl Returns {
    #[must_use]
    pub fn new(store: &Store, chain: Chain) -> Returns {
        Returns {
            pool: store.pool().clone(),
            chain,
        }
    }

    /// Looks at the blocks in which stakes come back, as they are made.
    pub fn start(&self, tasks: &Tasks) {
        let returns = self.clone();
        tasks.spawn_until_stopped("returned stakes", async move {
            let mut head = returns.chain.head();
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
                "INSERT INTO stake_return (role, address, free_height, amount_upokt) VALUES (?, ?, ?, ?) \
                 ON CONFLICT (role, address, free_height) DO UPDATE SET amount_upokt = excluded.amount_upokt \
                 WHERE is_back = 0",
            )
            .bind(one.role.word())
            .bind(one.address.as_str())
            .bind(one.free_height.cast_signed())
            .bind(one.amount.upokt().to_string())
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
        let rows: Vec<(String, String, i64, String)> = sqlx::query_as(
            "SELECT role, address, free_height, amount_upokt FROM stake_return WHERE is_back = 1 ORDER BY free_height DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |(role, address, height, amount): (String, String, i64, String)| {
            Some(Returned {
                role: role_of(&role)?,
                address,
                height: Height(height.cast_unsigned()),
                amount: amount.parse().ok()?,
            })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Looks at the blocks that are there by now.
    async fn look(&self) -> Result<(), LookError> {
        let head = self.chain.head().borrow().height.0;
        let due: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT role, address, free_height FROM stake_return WHERE is_back = 0 AND free_height <= ?",
        )
        .bind(head.cast_signed())
        .fetch_all(&self.pool)
        .await?;
        for (role, address, height) in due {
            let events = self.chain.events_of(Height(height.cast_unsigned())).await?;
            let end = role_of(&role).and_then(|role| came_back(&events, role, &address));
            match end {
                Some(amount) => sqlx::query(
                    "UPDATE stake_return SET is_back = 1, amount_upokt = ? \
                     WHERE role = ? AND address = ? AND free_height = ?",
                )
                .bind(amount.upokt().to_string()),
                // It was staked again before that.
                None => {
                    sqlx::query("DELETE FROM stake_return WHERE role = ? AND address = ? AND free_height = ?")
                }
            }
            .bind(&role)
            .bind(&address)
            .bind(height)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// What a block gave back to an address in a role.
fn came_back(events: &BlockEvents, role: Role, address: &str) -> Option<Amount> {
    events
        .events
        .iter()
        .find_map(|event| ended(&event.event, role, address))
}

fn ended(event: &ChainEvent, role: Role, address: &str) -> Option<Amount> {
    let is = |wanted: Role, found: &str| wanted == role && found == address;
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign list of events, of which three concern us"
    )]
    let coin: Option<&Coin> = match event {
        ChainEvent::SupplierUnbondingEnd(end) => end
            .supplier
            .as_ref()
            .filter(|one| is(Role::Supplier, &one.operator_address))?
            .stake
            .as_ref(),
        ChainEvent::ApplicationUnbondingEnd(end) => end
            .application
            .as_ref()
            .filter(|one| is(Role::Application, &one.address))?
            .stake
            .as_ref(),
        ChainEvent::GatewayUnbondingEnd(end) => end
            .gateway
            .as_ref()
            .filter(|one| is(Role::Gateway, &one.address))?
            .stake
            .as_ref(),
        _ => return None,
    };
    coin?.amount.parse().ok()
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
        let of = |event: &ChainEvent, role, address: &str| ended(event, role, address).map(Amount::upokt);
        assert_eq!(of(&supplier, Role::Supplier, "pokt1op"), Some(60));
        assert_eq!(of(&supplier, Role::Supplier, "pokt1other"), None);
        assert_eq!(of(&supplier, Role::Application, "pokt1op"), None);
        assert_eq!(of(&application, Role::Application, "pokt1op"), Some(7));
        for role in [Role::Supplier, Role::Application, Role::Gateway] {
            assert_eq!(role_of(role.word()), Some(role));
        }
    }
}
