//! What somebody else signs.

use super::*;

#[test]
fn what_the_owner_signs_elsewhere_is_a_step_of_its_own() {
    let mut facts = facts();
    let owner = Party {
        is_here: false,
        ..party(1, pokt(100_000))
    };
    facts.parties.insert(Purpose::Owner, owner.clone());
    let order = supplier(Some(60_000), vec![offer("https://home.example/")]);
    let planned = plan(&order, &facts).unwrap();
    assert_eq!(
        planned
            .steps
            .iter()
            .map(|step| (step.purpose, step.is_here))
            .collect::<Vec<_>>(),
        [(Purpose::Owner, false), (Purpose::Operator, true)]
    );
    assert!(planned.notes.contains(&Note::Elsewhere { account: address(1) }));
    // Once the owner's part is in a block, what is left is the operator's.
    facts.supplier = Some(staked(1));
    facts.parties.insert(Purpose::Operator, party(2, pokt(500)));
    let left = plan(&supplier(None, vec![offer("https://other.example/")]), &facts).unwrap();
    assert!(
        left.steps
            .iter()
            .all(|step| step.is_here && step.account == address(2))
    );
    // A record of an owner who is not here is given up by the operator.
    let gone = plan(&unstake(Role::Supplier), &facts).unwrap();
    assert_eq!(
        (gone.steps[0].purpose, gone.steps[0].is_here),
        (Purpose::Operator, true)
    );
    // Without any owner the order says what is missing.
    facts.supplier = None;
    facts.parties.remove(&Purpose::Owner);
    assert_eq!(plan(&order, &facts).unwrap_err().code(), "no_key_for");
}
