//! The rival, in a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

use crate::Burst;

pub(crate) struct Theirs {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) load_s: f64,
    pub(crate) resident: u64,
}

impl Theirs {
    pub(crate) fn load(python: &Path, model: &Path, threads: usize, repack: bool) -> Result<Theirs> {
        let mut child = Command::new(python)
            .args(["-c", include_str!("rival.py")])
            .arg(model)
            .args([threads.to_string(), u8::from(repack).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the rival does not start")?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let mut rival = Theirs {
            child,
            input,
            output,
            load_s: 0.0,
            resident: 0,
        };
        let said = rival.line()?;
        let mut words = said.split_whitespace().skip(1);
        rival.load_s = words.next().context("no load time")?.parse()?;
        rival.resident = words.next().context("no memory")?.parse()?;
        Ok(rival)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }

    pub(crate) fn measure(&mut self, burst: Burst) -> Result<f64> {
        match burst {
            Burst::Prefill(n) => writeln!(self.input, "prefill {n}")?,
            Burst::Decode(n, depth) => writeln!(self.input, "decode {n} {depth}")?,
            Burst::Many(sequences, n) => writeln!(self.input, "many {sequences} {n}")?,
        }
        self.line()?.trim().parse().context("the rival ended")
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
