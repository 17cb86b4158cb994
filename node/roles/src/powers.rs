//! What messages hand over to others besides what they do: powers of an account that outlast the transaction.

use std::collections::BTreeSet;

use hearth_pocket::message::{
    Any, Coin, Timestamp,
    application::{MsgDelegateToGateway, MsgTransferApplication},
    cosmos::{
        AllowedMsgAllowance, BasicAllowance, GenericAuthorization, MsgExec, MsgGrant, MsgGrantAllowance,
        PeriodicAllowance, SendAuthorization,
    },
    service::{MsgAddService, MsgTransferService},
    shared::ServiceRevenueShare,
    supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    leaves::{Before, MAX_DEPTH},
    plan::{Note, share_text},
    power::{Over, Power},
    stranger::Stranger,
};

/// What messages hand over, and in whose name they are done. `is_own` tells the addresses of this wallet, which need no
/// warning, and `before` what the chain has of what they change.
#[must_use]
pub fn powers(messages: &[Any], is_own: &dyn Fn(&str) -> bool, before: &Before) -> Vec<Note> {
    let mut notes = Vec::new();
    for message in messages {
        collect(message, is_own, before, MAX_DEPTH, &mut notes);
    }
    notes
}

fn collect(message: &Any, is_own: &dyn Fn(&str) -> bool, before: &Before, depth: u8, notes: &mut Vec<Note>) {
    notes.extend(given(message, is_own).map(Note::Stranger));
    if let Some(Ok(stake)) = message.unpack::<MsgStakeSupplier>() {
        staked(stake, is_own, before, notes);
    }
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
            collect(inner, is_own, before, deeper, notes);
        }
    }
}

/// Whom a stake for a supplier is of, and who shares in what it earns.
fn staked(stake: MsgStakeSupplier, is_own: &dyn Fn(&str) -> bool, before: &Before, notes: &mut Vec<Note>) {
    let (operator, owner) = (stake.operator_address, stake.owner_address);
    let known = before.supplier(&operator);
    if !is_own(&owner) {
        let given = stake.stake.as_ref().and_then(Coin::to_amount);
        notes.push(match known {
            // Only its services are changed: it was the owner's all along.
            Some((_, was)) if stake.stake.is_none() && was == owner => Note::Foreign { owner: owner.clone() },
            Some(_) | None => Note::Stranger(Stranger::Stake {
                amount: given.or(known.map(|(staked, _)| staked).filter(|_| stake.stake.is_none())),
                operator,
                owner: owner.clone(),
            }),
        });
    }
    for config in stake.services {
        let is_strange = |share: &&ServiceRevenueShare| !is_own(&share.address) && share.address != owner;
        let shares: Vec<String> = config
            .rev_share
            .iter()
            .filter(is_strange)
            .map(share_text)
            .collect();
        if !shares.is_empty() {
            notes.push(Note::Stranger(Stranger::Shares {
                service: config.service_id,
                shares,
            }));
        }
    }
}

/// What a message gives away of services and suppliers.
fn given(message: &Any, is_own: &dyn Fn(&str) -> bool) -> Option<Stranger> {
    if let Some(Ok(given)) = message.unpack::<MsgTransferService>() {
        let (service, owner) = (given.service_id, given.new_owner_address);
        return (!is_own(&owner)).then_some(Stranger::Service { service, owner });
    }
    if let Some(Ok(added)) = message.unpack::<MsgAddService>() {
        let (service, owner) = (added.service.id, added.service.owner_address);
        let is_given = owner != added.owner_address && !is_own(&owner);
        return is_given.then_some(Stranger::Service { service, owner });
    }
    let unstaked = message.unpack::<MsgUnstakeSupplier>()?.ok()?;
    let operator = unstaked.operator_address;
    let is_strange = is_own(&unstaked.signer) && !is_own(&operator);
    is_strange.then_some(Stranger::GivenUp { operator })
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
        shared::{Service, SupplierServiceConfig},
    };

    use super::*;

    fn said(messages: &[Any]) -> Vec<(&'static str, String)> {
        let is_own = |address: &str| ["pokt1me", "pokt1mine"].contains(&address);
        let notes = powers(messages, &is_own, &Before::default());
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

    fn stake(owner: &str, amount: Option<u128>, shares: &[(&str, u64)]) -> Any {
        let rev_share = shares.iter().map(|(address, percent)| ServiceRevenueShare {
            address: (*address).to_owned(),
            rev_share_percentage: *percent,
        });
        MsgStakeSupplier {
            signer: "pokt1me".to_owned(),
            owner_address: owner.to_owned(),
            operator_address: "pokt1op".to_owned(),
            stake: amount.map(|amount| pokt(amount).remove(0)),
            services: vec![SupplierServiceConfig {
                service_id: "svc".to_owned(),
                rev_share: rev_share.collect(),
                ..SupplierServiceConfig::default()
            }],
        }
        .to_any()
    }

    #[test]
    fn a_stake_or_a_share_for_a_stranger_is_said() {
        assert!(said(&[stake("pokt1me", Some(5), &[("pokt1me", 60), ("pokt1mine", 40)])]).is_empty());
        let text = "5.000000 POKT that are staked for the operator pokt1op belong to pokt1you, who is not of this wallet and \
                    gets the stake back";
        for message in [
            stake("pokt1you", Some(5), &[]),
            MsgExec {
                grantee: "pokt1me".to_owned(),
                msgs: vec![stake("pokt1you", Some(5), &[("pokt1you", 100)])],
            }
            .to_any(),
        ] {
            assert_eq!(said(&[message]), [("stake_for", text.to_owned())]);
        }
        let (code, text) = said(&[stake("pokt1you", None, &[])]).remove(0);
        assert_eq!(code, "stake_for");
        assert!(
            text.starts_with("what is staked for the operator pokt1op belong"),
            "{text}"
        );
        let shared = stake("pokt1me", None, &[("pokt1me", 60), ("pokt1you", 40)]);
        let text = "a part of what svc earns goes to others than this wallet: 40 % pokt1you";
        assert_eq!(said(&[shared]), [("shares_for", text.to_owned())]);
    }

    #[test]
    fn who_only_changes_the_services_of_a_stranger_gives_nothing_away() {
        let before = Before::of_supplier("pokt1op", Amount::from_upokt(7), "pokt1you");
        let notes = |message: Any| powers(&[message], &|address| address == "pokt1me", &before);
        let foreign = Note::Foreign {
            owner: "pokt1you".to_owned(),
        };
        assert_eq!(notes(stake("pokt1you", None, &[])), [foreign]);
        // Another owner takes what is there already.
        let taken = notes(stake("pokt1thief", None, &[])).remove(0);
        assert!(
            taken.is_danger() && taken.values().contains(&("amount", "7".to_owned())),
            "{taken}"
        );
    }

    #[test]
    fn services_and_suppliers_that_are_given_away_or_up_are_said() {
        let transfer = |to: &str| {
            MsgTransferService {
                owner_address: "pokt1me".to_owned(),
                service_id: "svc".to_owned(),
                new_owner_address: to.to_owned(),
            }
            .to_any()
        };
        let add = |owner: &str| {
            MsgAddService {
                owner_address: "pokt1me".to_owned(),
                service: Service {
                    id: "svc".to_owned(),
                    owner_address: owner.to_owned(),
                    ..Service::default()
                },
            }
            .to_any()
        };
        let text = "the service svc becomes that of pokt1you, who is not of this wallet";
        for message in [transfer("pokt1you"), add("pokt1you")] {
            assert_eq!(said(&[message]), [("service_given", text.to_owned())]);
        }
        let unstake = |operator: &str, signer: &str| {
            MsgUnstakeSupplier {
                signer: signer.to_owned(),
                operator_address: operator.to_owned(),
            }
            .to_any()
        };
        let text = "the supplier of the operator pokt1op is given up, whose key is not in this wallet";
        assert_eq!(
            said(&[unstake("pokt1op", "pokt1me")]),
            [("given_up", text.to_owned())]
        );
        let fine = [
            transfer("pokt1mine"),
            add("pokt1me"),
            unstake("pokt1mine", "pokt1me"),
            unstake("pokt1op", "pokt1op"),
        ];
        assert!(said(&fine).is_empty());
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
