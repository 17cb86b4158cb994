//! Weights: import of a file, beside the limit that SHA-256 sets in the same run.

use std::io::Write as _;

use anyhow::Context as _;
use hearth_weights::speed::measure_import;

use crate::table::{figure, grouped, section};

/// Enough for a steady figure, little enough for the cache of the disk.
const SIZE_BYTES: usize = 512 << 20;

pub(crate) async fn run() -> anyhow::Result<()> {
    section("Weights: UnixFS import of a file of 512 MiB (profile unixfs-v1-2025)");
    let file = tempfile::NamedTempFile::new().context("no temporary file can be made")?;
    let block: Vec<u8> = (0..1_u32 << 18)
        .flat_map(|word| word.wrapping_mul(0x9E37_79B9).to_le_bytes())
        .collect();
    let mut writer = file.as_file();
    for _ in 0..SIZE_BYTES / block.len() {
        writer
            .write_all(&block)
            .context("the temporary file cannot be written")?;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for threads in [1, cores.min(4)] {
        let path = file.path().to_owned();
        let speed = tokio::task::spawn_blocking(move || measure_import(&path, threads)).await??;
        let share = 100.0 * speed.import_mb_s / speed.sha256_mb_s;
        let beside = format!(
            "{share:.0} % of SHA-256 alone, {} MB/s; boxo by reference 1,240",
            grouped(speed.sha256_mb_s)
        );
        figure(
            &format!("import, {threads} thread(s)"),
            &format!("{} MB/s", grouped(speed.import_mb_s)),
            &beside,
        );
        if threads == cores {
            break;
        }
    }
    Ok(())
}
