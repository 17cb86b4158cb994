//! Import speed against the limit that SHA-256 sets, measured in one run.

use std::{fs::File, io, path::Path, time::Instant};

use sha2::{Digest as _, Sha256};

use crate::{hashing, unixfs::Profile};

/// What a run measured.
#[derive(Clone, Copy, Debug)]
pub struct ImportSpeed {
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Threads that hashed.
    pub threads: usize,
    /// Import of the file, MB/s (10^6 bytes).
    pub import_mb_s: f64,
    /// SHA-256 of as many bytes in memory by as many threads, MB/s.
    pub sha256_mb_s: f64,
}

/// Imports the file once to warm the cache of the disk and once more to measure. Blocks.
///
/// # Errors
/// A file that cannot be read.
pub fn measure_import(path: &Path, threads: usize) -> io::Result<ImportSpeed> {
    let file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    hashing::import_file(&Profile::V1_2025, &file, size_bytes, threads)?;
    let begin = Instant::now();
    hashing::import_file(&Profile::V1_2025, &file, size_bytes, threads)?;
    let import_mb_s = rate(size_bytes, begin);
    let chunk = vec![0x5a_u8; Profile::V1_2025.chunk_bytes as usize];
    let n_chunks = (size_bytes as usize / chunk.len() / threads).max(1);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..n_chunks {
                    std::hint::black_box(Sha256::digest(std::hint::black_box(&chunk)));
                }
            });
        }
    });
    let sha256_mb_s = rate((n_chunks * threads * chunk.len()) as u64, begin);
    Ok(ImportSpeed {
        size_bytes,
        threads,
        import_mb_s,
        sha256_mb_s,
    })
}

fn rate(bytes: u64, since: Instant) -> f64 {
    bytes as f64 / 1e6 / since.elapsed().as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::generators::splitmix;

    #[test]
    fn a_run_gives_figures() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), splitmix(1, 48 << 20)).unwrap();
        for threads in [1, 2] {
            let speed = measure_import(file.path(), threads).unwrap();
            println!("{speed:?}");
            assert!(speed.import_mb_s > 0.0 && speed.sha256_mb_s > 0.0);
            assert_eq!(speed.size_bytes, 48 << 20);
        }
    }
}
