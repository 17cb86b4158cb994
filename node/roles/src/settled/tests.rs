//! When settlements are, and whose.

use super::*;

fn timing() -> Timing {
    Timing {
        blocks_per_session: 20,
        grace_period: 10,
        claim_open_offset: 11,
        claim_close_offset: 4,
        proof_open_offset: 0,
        proof_close_offset: 8,
        anchor_height: 0,
        anchor_number: 0,
    }
}

#[test]
fn each_session_is_settled_in_one_block() {
    let timing = timing();
    let next = |timing: &Timing, after| next_settlement((timing, timing), about(timing, after), after);
    let mut found = Vec::new();
    let mut after = Height(0);
    while found.len() < 4 {
        after = next(&timing, after).unwrap();
        found.push(after.0);
    }
    // 24 blocks after the ends 20, 40, 60, 80.
    assert_eq!(found, [44, 64, 84, 104]);
    for height in 44..64 {
        assert_eq!(next(&timing, Height(height)), Some(Height(64)), "{height}");
    }
    assert_eq!(
        next(
            &Timing {
                blocks_per_session: 0,
                ..timing
            },
            Height(3)
        ),
        None
    );
}

#[test]
fn no_settlement_is_passed_over_where_sessions_become_longer_or_shorter() {
    let then = timing();
    let changed = |blocks_per_session, claim_open_offset| Timing {
        blocks_per_session,
        claim_open_offset,
        // The sessions until 80 are of before.
        anchor_height: 81,
        anchor_number: 5,
        ..then
    };
    let all = |now: &Timing| {
        let mut found = Vec::new();
        let mut after = Height(0);
        while found.len() < 6 {
            let at = |height: Height| if height.0 < 81 { then } else { *now };
            let now = at(after.plus(1));
            let from = about(&now, after).min(about(&at(about(&now, after)), after));
            after = next_settlement((&at(from), &now), from, after).unwrap();
            found.push(after.0);
        }
        found
    };
    // Ends 20, 40, 60, 80 of before, each settled 24 blocks later, then 130, 180 and so on.
    assert_eq!(all(&changed(50, 11)), [44, 64, 84, 104, 154, 204]);
    assert_eq!(all(&changed(5, 11)), [44, 64, 84, 104, 109, 114]);
    // Windows that become longer, and shorter: 3 blocks later than before, 7 earlier.
    assert_eq!(all(&changed(20, 14)), [44, 64, 84, 104, 127, 147]);
    assert_eq!(all(&changed(20, 4)), [44, 64, 84, 104, 117, 137]);
}

#[test]
fn what_changes_by_just_the_sum_of_the_events_is_proven() {
    let upokt = Amount::from_upokt;
    let one = |kind, account: &str, amount| Settled {
        kind,
        height: Height(44),
        about: format!("{amount}"),
        account: account.to_owned(),
        session_id: None,
        operator: "op".to_owned(),
        service: "svc".to_owned(),
        amount: upokt(amount),
        is_proven: false,
        endpoint: String::new(),
    };
    let change = |before, after, is_proven| Change {
        before: upokt(before),
        after: upokt(after),
        is_proven,
    };
    let around = Around {
        balances: [
            ("owner".to_owned(), change(5, 12, true)),
            ("other".to_owned(), change(5, 12, true)),
            ("seen".to_owned(), change(0, 7, false)),
        ]
        .into(),
        suppliers: [("op".to_owned(), change(60, 59, true))].into(),
        ..Around::default()
    };
    assert!(around.has_changed() && !Around::default().has_changed());
    let mut found = vec![
        one(SettledKind::Reward, "owner", 3),
        one(SettledKind::Reward, "owner", 4),
        one(SettledKind::Reward, "other", 6),
        one(SettledKind::Reward, "seen", 7),
        one(SettledKind::Slash, "op", 1),
    ];
    around.prove(&mut found);
    let proven: Vec<bool> = found.iter().map(|one| one.is_proven).collect();
    assert_eq!(proven, [true, true, false, false, true]);
}
