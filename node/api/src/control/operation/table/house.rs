//! The lines of what keeps the node itself: its configuration and its first run.

use crate::control::{
    spec::{
        Method::{Get, Patch, Post},
        Spec,
    },
    types::{BackUp, BackupMade, BackupTested, ConfigPage, ConfigPatch, FirstRun, FirstRunPatch, TestBackup},
};

pub(super) fn get_config() -> Spec {
    Spec::new(
        Get,
        "/config",
        "getConfig",
        "Every setting of the configuration, with its origin.",
    )
    .gives::<ConfigPage>()
}

pub(super) fn change_config() -> Spec {
    Spec::new(
        Patch,
        "/config",
        "changeConfig",
        "Changes config.toml: all changes or none; most count with the next start.",
    )
    .takes::<ConfigPatch>()
    .gives::<ConfigPage>()
}

pub(super) fn restart() -> Spec {
    Spec::new(
        Post,
        "/restart",
        "restart",
        "Stops the node in order and starts it anew, where the program can.",
    )
}

pub(super) fn get_first_run() -> Spec {
    Spec::new(
        Get,
        "/first-run",
        "getFirstRun",
        "How far the first run is, and what this computer has.",
    )
    .gives::<FirstRun>()
}

pub(super) fn change_first_run() -> Spec {
    Spec::new(
        Patch,
        "/first-run",
        "changeFirstRun",
        "Notes a step as done or skipped, the chosen role, or the end of the first run.",
    )
    .takes::<FirstRunPatch>()
    .gives::<FirstRun>()
}

pub(super) fn make_backup() -> Spec {
    Spec::new(
        Post,
        "/backup",
        "makeBackup",
        "Copies database, keys and configuration into one file that a passphrase opens.",
    )
    .takes::<BackUp>()
    .gives::<BackupMade>()
}

pub(super) fn test_backup() -> Spec {
    Spec::new(
        Post,
        "/backup/test",
        "testBackup",
        "Brings a backup back into a folder that is thrown away, and opens all that is in it.",
    )
    .takes::<TestBackup>()
    .gives::<BackupTested>()
}
