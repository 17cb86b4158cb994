//! The card of a service as the API shows it; one that cannot be shown is said to be so.

use hearth_roles::read_card;

use crate::control::types::ServiceCard;

pub(super) fn read(card: &[u8]) -> ServiceCard {
    let read = read_card(card);
    ServiceCard {
        bytes: card.len() as u64,
        problem: read.as_ref().err().map(|why| format!("it {why}")),
        document: read.ok(),
    }
}
