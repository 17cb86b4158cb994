//! Services that accounts of the wallet own.

use super::*;

#[test]
fn a_service_is_made_for_its_price_and_changed_by_its_owner() {
    let mut facts = facts();
    let order = |id: &str, units, card: Option<&str>| {
        Order::Service(ServiceOrder {
            name: Some("A model".to_owned()),
            compute_units: Some(units),
            card: card.map(|card| card.as_bytes().to_vec()),
            ..named(id)
        })
    };
    let made = plan(&order("my-model_7b", 100, Some("{\"a\":1}")), &facts).unwrap();
    assert_eq!(made.steps[0].amount, pokt(3_500));
    let message = made.steps[0].messages[0]
        .unpack::<MsgAddService>()
        .unwrap()
        .unwrap();
    assert_eq!(message.service.owner_address, address(1).to_string());
    let code = |order: &Order, facts: &Facts| plan(order, facts).unwrap_err().code();
    for wrong in [
        order("my.model", 1, None),
        order("name:7b", 1, None),
        order("", 1, None),
        order(&"a".repeat(43), 1, None),
        order("a", 0, None),
        order("a", 2_097_153, None),
        order("a", 1, Some("[]")),
        order("a", 1, Some("{")),
    ] {
        assert_eq!(code(&wrong, &facts), "service_wrong", "{wrong:?}");
    }
    for (name, is_right) in [
        ("My model_7-b", true),
        ("Bob's", false),
        ("7B (fast)", false),
        ("Größe", false),
    ] {
        let called = Order::Service(ServiceOrder {
            name: Some(name.to_owned()),
            compute_units: Some(1),
            ..named("a")
        });
        assert_eq!(plan(&called, &facts).is_ok(), is_right, "{name}");
    }
    assert_eq!(code(&order("svc", 1, None), &facts), "others_service");
    // The balance must be above the price.
    facts.parties.insert(Purpose::Owner, party(1, pokt(3_500)));
    assert_eq!(code(&order("a", 1, None), &facts), "not_enough");
    facts
        .services
        .get_mut(&ServiceId::new("svc"))
        .unwrap()
        .owner_address = address(1).to_string();
    let changed = plan(&order("svc", 11, None), &facts).unwrap();
    assert_eq!(changed.steps[0].amount, Amount::ZERO);
    let change = |what, from: &str, to: &str| Note::Changes {
        what,
        service: "svc".to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    let notes = [
        change("name", "", "A model"),
        change("compute_units", "10", "11"),
        Note::From { height: 21 },
    ];
    assert_eq!(changed.notes, notes);
}

/// A service of which nothing is said.
fn named(id: &str) -> ServiceOrder {
    ServiceOrder {
        id: ServiceId::new(id),
        name: None,
        compute_units: None,
        card: None,
        is_edit: false,
    }
}

fn service_of(plan: &Plan) -> Service {
    let message = plan.steps[0].messages[0].unpack::<MsgAddService>().unwrap();
    message.unwrap().service
}

#[test]
fn what_a_change_of_a_service_leaves_out_stays_and_the_same_is_not_sent_again() {
    let mut facts = facts();
    let known = facts.services.get_mut(&ServiceId::new("svc")).unwrap();
    known.owner_address = address(1).to_string();
    known.name = "My model".to_owned();
    known.metadata = Some(Metadata {
        card: br#"{"a": 1}"#.to_vec(),
    });
    let code = |order: ServiceOrder, facts: &Facts| plan(&Order::Service(order), facts).unwrap_err().code();
    // Nothing is said, or what is so already: also a card that is written otherwise.
    assert_eq!(code(named("svc"), &facts), "no_change");
    let same = ServiceOrder {
        name: Some("My model".to_owned()),
        compute_units: Some(10),
        card: Some(br#"{"a":1}"#.to_vec()),
        ..named("svc")
    };
    assert_eq!(code(same, &facts), "no_change");
    let dearer = ServiceOrder {
        compute_units: Some(11),
        ..named("svc")
    };
    let service = service_of(&plan(&Order::Service(dearer), &facts).unwrap());
    assert_eq!(
        (service.name.as_str(), service.compute_units_per_relay),
        ("My model", 11)
    );
    assert_eq!(service.metadata, None, "the chain keeps the card");
    let card = ServiceOrder {
        card: Some(br#"{"a":2}"#.to_vec()),
        ..named("svc")
    };
    let planned = plan(&Order::Service(card), &facts).unwrap();
    assert!(matches!(
        planned.notes.as_slice(),
        [Note::Changes { what: "card", .. }]
    ));
    assert_eq!(service_of(&planned).metadata.unwrap().card, br#"{"a":2}"#);
    // A card that nobody could show is not signed.
    for (card, why) in [
        (
            format!("{{\"a\":{}1{}}}", "[".repeat(15), "]".repeat(15)),
            "deeper than 16",
        ),
        (format!("{{\"a\":[{}1]}}", "1,".repeat(4096)), "4096 values"),
        (format!("{{\"a\":{}", "[".repeat(200)), "deeper than 127"),
    ] {
        let card = ServiceOrder {
            card: Some(card.into_bytes()),
            ..named("svc")
        };
        let error = plan(&Order::Service(card), &facts).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    // One that is new needs its units, has its id for a name, and is no edit.
    assert_eq!(code(named("fresh"), &facts), "new_service");
    let fresh = ServiceOrder {
        compute_units: Some(1),
        ..named("fresh")
    };
    assert_eq!(
        service_of(&plan(&Order::Service(fresh.clone()), &facts).unwrap()).name,
        "fresh"
    );
    let edit = ServiceOrder {
        is_edit: true,
        ..fresh
    };
    assert_eq!(code(edit, &facts), "no_service");
    // A name with control characters is shown without them.
    let known = facts.services.get_mut(&ServiceId::new("svc")).unwrap();
    known.name = "a\u{1b}[2Jb".to_owned();
    let renamed = ServiceOrder {
        name: Some("plain".to_owned()),
        ..named("svc")
    };
    let notes = plan(&Order::Service(renamed), &facts).unwrap().notes;
    assert_eq!(notes[0].to_string(), "the name of svc: a\u{fffd}[2Jb → plain");
}
