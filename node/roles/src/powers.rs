//! What messages hand over to others besides what they do: powers of an account that outlast the transaction.

use std::collections::BTreeSet;

use hearth_pocket::message::{
    Any, Coin, Timestamp,
    application::{MsgDelegateToGateway, MsgTransferApplication},
    cosmos::{
        AllowedMsgAllowance, BasicAllowance, GenericAuthorization, MsgExec, MsgGrant, MsgGrantAllowance,
        PeriodicAllowance, SendAuthorization,
    },
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    plan::Note,
    power::{Over, Power},
};

/// Messages lie no deeper in each other than they are shown.
const MAX_DEPTH: u8 = 16;

/// What messages hand over, and in whose name they are done. `is_own` tells the addresses of this wallet, whose gateways
/// need no warning.
#[must_use]
pub fn powers(messages: &[Any], is_own: &dyn Fn(&str) -> bool) -> Vec<Note> {
    let mut notes = Vec::new();
    for message in messages {
        collect(message, is_own, MAX_DEPTH, &mut notes);
    }
    notes
}

fn collect(message: &Any, is_own: &dyn Fn(&str) -> bool, depth: u8, notes: &mut Vec<Note>) {
    if let Some(Ok(given)) = message.unpack::<MsgTransferApplication>() {
        notes.push(Note::StakeGiven {
            from: given.source_address,
            to: given.destination_address,
        });
    }
    if let Some(Ok(delegation)) = message.unpack::<MsgDelegateToGateway>()
        && !is_own(&delegation.gateway_address)
    {
        notes.push(Note::Delegates {
            gateway: delegation.gateway_address,
            application: delegation.app_address,
        });
    }
    if let Some(Ok(grant)) = message.unpack::<MsgGrant>() {
        notes.push(Note::Power(granted(grant)));
    }
    if let Some(Ok(grant)) = message.unpack::<MsgGrantAllowance>() {
        let (most, until) = allowance(grant.allowance.as_ref(), depth);
        notes.push(Note::Power(Power {
            who: grant.grantee,
            account: grant.granter,
            until,
            over: Over::Fees { most },
        }));
    }
    let exec = message.unpack::<MsgExec>();
    if let (Some(Ok(exec)), Some(deeper)) = (exec, depth.checked_sub(1)) {
        let signers: BTreeSet<String> = exec.msgs.iter().filter_map(Any::signer).collect();
        let accounts: Vec<String> = signers.into_iter().filter(|one| *one != exec.grantee).collect();
        if !accounts.is_empty() {
            notes.push(Note::InNameOf {
                who: exec.grantee,
                accounts,
            });
        }
        for inner in &exec.msgs {
            collect(inner, is_own, deeper, notes);
        }
    }
}

fn granted(message: MsgGrant) -> Power {
    let authorization = message.grant.authorization.unwrap_or_default();
    let generic = authorization
        .unpack::<GenericAuthorization>()
        .and_then(Result::ok);
    let send = authorization.unpack::<SendAuthorization>().and_then(Result::ok);
    Power {
        who: message.grantee,
        account: message.granter,
        until: message.grant.expiration.map(moment),
        over: match (generic, send) {
            (Some(generic), _) => Over::Messages(generic.msg),
            (None, Some(send)) => Over::Money {
                most: send.spend_limit,
                to: send.allow_list,
            },
            (None, None) => Over::Messages(authorization.type_url),
        },
    }
}

/// The most that an allowance of fees gives in all, and until when.
fn allowance(given: Option<&Any>, depth: u8) -> (Vec<Coin>, Option<String>) {
    let Some((given, deeper)) = given.zip(depth.checked_sub(1)) else {
        return (Vec::new(), None);
    };
    if let Some(Ok(allowed)) = given.unpack::<AllowedMsgAllowance>() {
        return allowance(allowed.allowance.as_ref(), deeper);
    }
    let periodic = given.unpack::<PeriodicAllowance>().and_then(Result::ok);
    let basic = given.unpack::<BasicAllowance>().and_then(Result::ok);
    let basic = periodic
        .map(|periodic| periodic.basic)
        .or(basic)
        .unwrap_or_default();
    (basic.spend_limit, basic.expiration.map(moment))
}

fn moment(until: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(until.unix_nanos())
        .ok()
        .and_then(|until| until.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("second {}", until.seconds))
}

#[cfg(test)]
mod tests {
    use hearth_base::Amount;
    use hearth_pocket::message::{
        TypeUrl as _,
        cosmos::{Grant, MsgSend},
    };

    use super::*;

    fn said(messages: &[Any]) -> Vec<(&'static str, String)> {
        let notes = powers(messages, &|address| address == "pokt1mine");
        assert!(notes.iter().all(Note::is_danger), "{notes:?}");
        notes.iter().map(|note| (note.code(), note.to_string())).collect()
    }

    fn grant(authorization: Any, until: Option<i64>) -> Any {
        MsgGrant {
            granter: "pokt1me".to_owned(),
            grantee: "pokt1you".to_owned(),
            grant: Grant {
                authorization: Some(authorization),
                expiration: until.map(|seconds| Timestamp { seconds, nanos: 0 }),
            },
        }
        .to_any()
    }

    fn pokt(amount: u128) -> Vec<Coin> {
        vec![Coin::upokt(Amount::from_upokt(amount * 1_000_000))]
    }

    #[test]
    fn who_gets_what_until_when_is_said() {
        let any = GenericAuthorization {
            msg: MsgSend::TYPE_URL.to_owned(),
        };
        let (code, text) = said(&[grant(any.to_any(), None)]).remove(0);
        assert_eq!(code, "power_messages");
        let all = "pokt1you may sign /cosmos.bank.v1beta1.MsgSend for pokt1me, without asking, for ever: until it is revoked";
        assert_eq!(text, all);

        let some = SendAuthorization {
            spend_limit: pokt(7),
            allow_list: vec!["pokt1shop".to_owned()],
        };
        let (code, text) = said(&[grant(some.to_any(), Some(1_800_000_000))]).remove(0);
        assert_eq!(code, "power_money");
        assert!(
            text.contains("up to 7.000000 POKT of pokt1me to pokt1shop")
                && text.contains("until 2027-01-15T08:00:00Z"),
            "{text}"
        );
    }

    #[test]
    fn allowances_of_fees_are_powers_too() {
        let basic = BasicAllowance {
            spend_limit: pokt(3),
            expiration: None,
        };
        let inside = AllowedMsgAllowance {
            allowance: Some(
                PeriodicAllowance {
                    basic: basic.clone(),
                    ..PeriodicAllowance::default()
                }
                .to_any(),
            ),
            allowed_messages: vec![MsgSend::TYPE_URL.to_owned()],
        };
        for allowance in [basic.to_any(), inside.to_any()] {
            let message = MsgGrantAllowance {
                granter: "pokt1me".to_owned(),
                grantee: "pokt1you".to_owned(),
                allowance: Some(allowance),
            };
            let (code, text) = said(&[message.to_any()]).remove(0);
            assert_eq!(code, "power_fees");
            assert!(
                text.starts_with("pokt1me pays the fees of pokt1you, up to 3.000000 POKT"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_gives_a_stake_away_or_lets_a_stranger_spend_it_is_said() {
        let transfer = MsgTransferApplication {
            source_address: "pokt1me".to_owned(),
            destination_address: "pokt1you".to_owned(),
        };
        let all = "all that the application pokt1me has staked becomes that of pokt1you";
        assert_eq!(said(&[transfer.to_any()]), [("stake_given", all.to_owned())]);
        let to = |gateway: &str| {
            MsgDelegateToGateway {
                app_address: "pokt1me".to_owned(),
                gateway_address: gateway.to_owned(),
            }
            .to_any()
        };
        let text =
            "the gateway pokt1you is not of this wallet, and may spend the stake of the application pokt1me";
        let exec = MsgExec {
            grantee: "pokt1me".to_owned(),
            msgs: vec![to("pokt1you")],
        };
        for message in [to("pokt1you"), exec.to_any()] {
            assert_eq!(said(&[message]), [("delegates", text.to_owned())]);
        }
        assert!(said(&[to("pokt1mine")]).is_empty());
    }

    #[test]
    fn what_is_done_for_others_is_said_and_looked_into() {
        let payment = |from: &str| {
            MsgSend {
                from_address: from.to_owned(),
                to_address: "pokt1shop".to_owned(),
                amount: pokt(5),
            }
            .to_any()
        };
        let exec = |msgs: Vec<Any>| {
            MsgExec {
                grantee: "pokt1me".to_owned(),
                msgs,
            }
            .to_any()
        };
        let any = GenericAuthorization {
            msg: MsgSend::TYPE_URL.to_owned(),
        };
        let inner = exec(vec![payment("pokt1boss"), exec(vec![grant(any.to_any(), None)])]);
        let codes: Vec<_> = said(&[inner]).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["in_name_of", "power_messages"]);
        assert!(said(&[payment("pokt1me"), exec(vec![payment("pokt1me")])]).is_empty());
    }
}
