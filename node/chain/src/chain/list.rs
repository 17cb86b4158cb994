//! The endpoints, and where trust begins: what a person may change while the program runs.

use crate::{
    config::Anchor,
    db::DbError,
    endpoints::{EndpointError, Trial},
    light::Given,
    query::QueryError,
    rpc::{EndpointStatus, Evidence},
};

use super::Chain;

/// Where trust begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing is trusted yet, so nothing can be proven.
    Missing,
    /// The configuration or the network file gave this header.
    Given(Anchor),
    /// A person gave it to the running program, at this moment in milliseconds since the epoch.
    ByPerson { anchor: Anchor, at_ms: i64 },
    /// These endpoints agreed on this header, and nobody else vouched for it.
    Agreed { anchor: Anchor, endpoints: Vec<String> },
}

impl Chain {
    /// What is known of each endpoint.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointStatus> {
        let head = self.0.head.borrow().clone();
        self.0.pool.statuses(&head, self.0.sender.clock.now())
    }

    /// Questions that endpoints were asked in this run.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.endpoints().iter().map(|endpoint| endpoint.asked).sum()
    }

    /// Adds an endpoint for good, once it was tried.
    ///
    /// # Errors
    /// An address that is none, an endpoint that does not answer or serves another chain, a database that does not write.
    pub async fn add_endpoint(&self, url: &str) -> Result<Trial, EndpointError> {
        self.0.endpoints.add(url, &self.0.light).await
    }

    /// Takes an endpoint away for good, by its id, its address, or host and port.
    ///
    /// # Errors
    /// One that is not there or is the last, a database that does not write.
    pub async fn remove_endpoint(&self, which: &str) -> Result<(), EndpointError> {
        self.0.endpoints.remove(which).await
    }

    /// Tries an endpoint, or all of them: whether it answers, how fast, of which chain, and whether it proves.
    ///
    /// # Errors
    /// One that is not there.
    pub async fn try_endpoints(&self, which: Option<&str>) -> Result<Vec<Trial>, EndpointError> {
        self.0.endpoints.try_out(which, &self.0.light).await
    }

    /// What endpoints said that was false, the newest first.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn evidence(&self) -> Result<Vec<Evidence>, DbError> {
        self.0.endpoints.evidence().await
    }

    /// Where trust begins.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn trust(&self) -> Result<Trust, DbError> {
        let given = self.0.light.given().await?;
        if let Some(Given::ByPerson(anchor, at_ms)) = given {
            return Ok(Trust::ByPerson { anchor, at_ms });
        }
        Ok(match self.0.db.origin().await? {
            Some(origin) if origin.agreed.is_empty() => Trust::Given(origin.anchor),
            Some(origin) => Trust::Agreed {
                anchor: origin.anchor,
                endpoints: origin.agreed,
            },
            None => Trust::Missing,
        })
    }

    /// A person gives a trust anchor to the running program. It is kept where an endpoint has that block and what was
    /// verified so far does not contradict it, or is to be forgotten for it.
    ///
    /// # Errors
    /// No endpoint whose chain has the block, or verified headers that contradict it: nothing is kept.
    pub async fn give_anchor(&self, anchor: Anchor, instead: bool) -> Result<(), QueryError> {
        Ok(self.0.light.give_anchor(anchor, instead).await?)
    }

    /// Forgets the anchor that a person gave. What was verified from it stays.
    ///
    /// # Errors
    /// A database that does not write.
    pub async fn forget_anchor(&self) -> Result<(), QueryError> {
        Ok(self.0.light.forget_anchor().await?)
    }

    /// A person has decided between the verified headers and the trust anchor, which contradict each other: the anchor
    /// counts, and what was verified before is forgotten.
    ///
    /// # Errors
    /// No endpoint whose chain has the anchor either: then the anchor is wrong, and has to be corrected.
    pub async fn prefer_anchor(&self) -> Result<(), QueryError> {
        Ok(self.0.light.prefer_anchor().await?)
    }
}
