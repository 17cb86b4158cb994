//! Difficulty against the recorded data.

use num_integer::Integer as _;
use proptest::prelude::*;

use super::*;
use crate::golden::{bytes, list, load, number, text};

#[test]
fn golden_targets_averages_and_applicability() {
    let golden = load("difficulty");
    for row in list(&golden["target_hash"]) {
        let target =
            Target::for_average(number(&row["target_num_relays"]), number(&row["new_relays_ema"])).unwrap();
        assert_eq!(hex::encode(target.as_bytes()), text(&row["target_hash"]), "{row}");
        let (base, number) = (BASE_TARGET.number(), target.number());
        let divisor = base.gcd(&number);
        assert_eq!((&base / &divisor).to_string(), text(&row["multiplier_num"]));
        assert_eq!((&number / &divisor).to_string(), text(&row["multiplier_denom"]));
    }
    for row in list(&golden["ema"]) {
        let next = next_average(number(&row["prev_ema"]), number(&row["num_relays"]));
        assert_eq!(next, number::<u64>(&row["new_ema"]), "{row}");
    }
    for row in list(&golden["applicable"]) {
        let target = Target::try_from(bytes(&row["target_hash"]).as_slice()).unwrap();
        let relay_hash: [u8; 32] = bytes(&row["relay_hash"]).try_into().unwrap();
        assert_eq!(
            target.admits(&relay_hash),
            row["applicable"].as_bool().unwrap(),
            "{row}"
        );
    }
}

#[test]
fn a_service_without_a_record_starts_with_its_first_number() {
    let update = update(None, 300, 100).unwrap();
    assert_eq!(update.num_relays_ema, 300);
    assert_eq!(update.target, Target::for_average(100, 300).unwrap());
    assert_eq!(super::update(Some(1), 0, 100), None);
}

proptest! {
    #[test]
    fn the_average_lies_between_its_parts(previous: u64, num_relays: u64) {
        let next = next_average(previous, num_relays);
        // Truncation may lose one, a mantissa of 64 bits no more.
        prop_assert!(next.saturating_add(1) >= previous.min(num_relays));
        prop_assert!(next <= previous.max(num_relays));
    }

    #[test]
    fn more_traffic_is_never_easier(target_num in 1_u64.., one in 1_u64.., other in 1_u64..) {
        let (few, many) = (one.min(other), one.max(other));
        prop_assert!(Target::for_average(target_num, few) >= Target::for_average(target_num, many));
    }
}
