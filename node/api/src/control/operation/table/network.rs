//! The lines of the Network page: the chain, where trust begins, its endpoints.

use crate::control::{
    spec::{
        Method::{Delete, Get, Post},
        Spec,
    },
    types::{
        AddEndpoint, EndpointTrialList, FalseAnswerList, GiveAnchor, NameEndpoint, NetworkPage, TryEndpoints,
    },
};

pub(super) fn network() -> Spec {
    Spec::new(
        Get,
        "/network",
        "getNetwork",
        "Chain, proof, session, endpoints, services.",
    )
    .gives::<NetworkPage>()
}

pub(super) fn prefer_anchor() -> Spec {
    Spec::new(
        Post,
        "/network/trust",
        "preferAnchor",
        "Decides a conflict of chain and trust anchor: the anchor counts, what was verified is forgotten.",
    )
    .gives::<NetworkPage>()
}

pub(super) fn give_anchor() -> Spec {
    Spec::new(
        Post,
        "/network/anchor",
        "giveAnchor",
        "Takes a block that a person trusts.",
    )
    .takes::<GiveAnchor>()
    .gives::<NetworkPage>()
}

pub(super) fn forget_anchor() -> Spec {
    Spec::new(
        Delete,
        "/network/anchor",
        "forgetAnchor",
        "Forgets the block that a person trusts.",
    )
    .gives::<NetworkPage>()
}

pub(super) fn add_endpoint() -> Spec {
    Spec::new(
        Post,
        "/network/endpoints",
        "addEndpoint",
        "Tries an endpoint and keeps it.",
    )
    .takes::<AddEndpoint>()
    .gives::<NetworkPage>()
}

pub(super) fn remove_endpoint() -> Spec {
    Spec::new(
        Post,
        "/network/endpoints/remove",
        "removeEndpoint",
        "Takes an endpoint away.",
    )
    .takes::<NameEndpoint>()
    .gives::<NetworkPage>()
}

pub(super) fn try_endpoints() -> Spec {
    Spec::new(
        Post,
        "/network/endpoints/test",
        "tryEndpoints",
        "Tries one endpoint, or all.",
    )
    .takes::<TryEndpoints>()
    .gives::<EndpointTrialList>()
}

pub(super) fn false_answers() -> Spec {
    Spec::new(
        Get,
        "/network/evidence",
        "falseAnswers",
        "False answers that were kept.",
    )
    .gives::<FalseAnswerList>()
}
