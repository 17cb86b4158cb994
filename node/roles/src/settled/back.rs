//! Looking back: for accounts that came later, and at blocks of which an endpoint spoke that lied.

use std::collections::BTreeMap;

use hearth_base::{Failure as _, Height, Kind as FailureKind};
use hearth_chain::{Query, ReadAt};
use hearth_pocket::Address;
use hearth_wallet::Accounts;

use super::{AT_A_TIME, FIRST_BACK, LookError, Settlements, Way, looked_at_for};
use crate::returned::liars;

impl Settlements {
    /// Sees to it that settlements are looked for also for accounts that are new here: what was settled for them until
    /// now, as far back as a new wallet looks.
    pub(super) async fn welcome(&self, accounts: &Accounts, looked: Height) -> Result<(), LookError> {
        let here: BTreeMap<String, &Address> = looked_at_for(accounts, false)
            .chain(looked_at_for(accounts, true))
            .map(|entry| (entry.address.to_string(), &entry.address))
            .collect();
        let known = self.looked_from().await?;
        let gone = known.keys().filter(|account| !here.contains_key(*account));
        self.forget(&gone.cloned().collect::<Vec<_>>()).await?;
        let new: Vec<&Address> = here
            .into_iter()
            .filter(|(account, _)| !known.contains_key(account))
            .map(|(_, address)| address)
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let from = self.back(FIRST_BACK, looked).await?;
        let mut first_heights = BTreeMap::new();
        for address in new {
            let is_empty = from.0 == 0
                || self.was_never(address, looked).await?
                || self.was_never(address, from).await?;
            let first = if is_empty { Height(0) } else { from.plus(1) };
            first_heights.insert(address.to_string(), first);
        }
        self.begin_again(&first_heights, from, looked).await?;
        Ok(())
    }

    /// Whether it is proven that nothing ever came to an account until then: whoever was paid is on the chain for ever.
    async fn was_never(&self, address: &Address, until: Height) -> Result<bool, LookError> {
        match self
            .chain
            .query(Query::account(address), ReadAt::Height(until))
            .await
        {
            Ok(told) => Ok(told.is_proven() && told.into_value().is_none()),
            Err(error) if error.kind() == FailureKind::Retry => Err(error.into()),
            // No endpoint has that state any more.
            Err(_) => Ok(false),
        }
    }

    /// Goes on with what is looked at once more, a few settlements at most.
    pub(super) async fn look_back(&self, accounts: &Accounts) -> Result<(), LookError> {
        let Some((mut done, last)) = self.again().await? else {
            return Ok(());
        };
        for _ in 0..AT_A_TIME {
            let due = self.due_after(done).await?;
            let Some(due) = due.filter(|due| *due <= last) else {
                self.end_again().await?;
                return Ok(());
            };
            self.look_at(due, accounts, Way::Back).await?;
            done = due;
        }
        Ok(())
    }

    /// Looks anew at what stands on the word of an endpoint that was found lying, once another one answers. What the
    /// state bears out stays: it is nobody's word.
    pub(super) async fn doubt(&self, accounts: &Accounts) -> Result<(), LookError> {
        let liars = liars(&self.chain).await;
        if liars.is_empty() {
            return Ok(());
        }
        let doubted = self.told_by(&liars).await?.into_iter();
        // One that nobody else could tell of is asked for again by the next run, not with every block.
        let doubted: Vec<Height> = doubted
            .filter(|height| !self.doubted.lock().contains(height))
            .take(AT_A_TIME)
            .collect();
        for height in doubted {
            match self.settle(height, accounts).await {
                Ok(found) if found.iter().any(|one| liars.contains(&one.endpoint)) => {}
                Ok(found) => self.replace(height, &found).await?,
                Err(error) if error.is_final() => {}
                Err(error) => return Err(error),
            }
            self.doubted.lock().insert(height);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{settled::KnownFrom, tests::Away};

    #[tokio::test]
    async fn what_is_known_from_where_on_is_corrected_once_the_look_back_is_done() {
        let away = Away::new().await;
        let of = &away.settlements;
        let (old, fresh) = ("pokt1old".to_owned(), "pokt1new".to_owned());
        of.keep(Height(5_000), &[], Way::Ahead).await.unwrap();
        let begun = [(old.clone(), Height(561)), (fresh.clone(), Height(0))].into();
        of.begin_again(&begun, Height(560), Height(5_000)).await.unwrap();
        let known = async || {
            let mut known = of.known_from().await.unwrap();
            known.sort_by(|one, other| one.account.cmp(&other.account));
            let heights = known
                .into_iter()
                .map(|KnownFrom { account, height }| (account, height.0));
            heights.collect::<Vec<_>>()
        };
        // While it goes on nothing before its last block is known.
        assert_eq!(known().await, [(fresh.clone(), 5_001), (old.clone(), 5_001)]);
        of.keep(Height(1_000), &[], Way::Back).await.unwrap();
        assert_eq!(of.again().await.unwrap(), Some((Height(1_000), Height(5_000))));
        assert_eq!(
            of.looked().await.unwrap(),
            Some(Height(5_000)),
            "new blocks go on where they were"
        );
        // A key that is imported meanwhile begins it anew, from the earliest on.
        let third = [("pokt1third".to_owned(), Height(801))].into();
        of.begin_again(&third, Height(800), Height(5_060)).await.unwrap();
        assert_eq!(of.again().await.unwrap(), Some((Height(800), Height(5_060))));
        of.end_again().await.unwrap();
        let third = ("pokt1third".to_owned(), 801);
        assert_eq!(
            known().await,
            [(fresh.clone(), 0), (old.clone(), 561), third.clone()]
        );
        of.forget(&[old]).await.unwrap();
        assert_eq!(known().await, [(fresh, 0), third]);
    }
}
