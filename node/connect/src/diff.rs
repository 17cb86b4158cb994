//! What changes between two texts, line by line, as it is shown before anything is written.

/// Unchanged lines around a change.
const CONTEXT: usize = 2;
/// Lines of each side that are compared one by one; files of settings are far shorter.
const MOST_COMPARED: usize = 2000;

/// One line of a diff.
#[derive(Clone, PartialEq, Eq)]
pub enum Line {
    Same(String),
    Added(String),
    Removed(String),
    /// Lines that did not change were left out here.
    Gap,
}

impl Line {
    /// `+ text`, `- text`, `  text`, `…`
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Line::Same(text) => format!("  {text}"),
            Line::Added(text) => format!("+ {text}"),
            Line::Removed(text) => format!("- {text}"),
            Line::Gap => "…".to_owned(),
        }
    }
}

/// The lines that were added and removed, with a few unchanged ones around them.
#[must_use]
pub fn diff(before: &str, after: &str) -> Vec<Line> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let n_head = before
        .iter()
        .zip(&after)
        .take_while(|(one, other)| one == other)
        .count();
    let n_most = before.len().min(after.len()) - n_head;
    let from_end = before.iter().rev().zip(after.iter().rev());
    let n_tail = from_end
        .take(n_most)
        .take_while(|(one, other)| one == other)
        .count();
    let (old, new) = (
        &before[n_head..before.len() - n_tail],
        &after[n_head..after.len() - n_tail],
    );
    let same = |line: &&str| Line::Same((*line).to_owned());
    let mut all: Vec<Line> = before[..n_head].iter().map(same).collect();
    all.extend(changes(old, new));
    all.extend(before[before.len() - n_tail..].iter().map(same));
    shortened(all)
}

/// By the longest common subsequence.
fn changes(old: &[&str], new: &[&str]) -> Vec<Line> {
    let removed = |line: &&str| Line::Removed((*line).to_owned());
    let added = |line: &&str| Line::Added((*line).to_owned());
    if old.len() > MOST_COMPARED || new.len() > MOST_COMPARED {
        return old.iter().map(removed).chain(new.iter().map(added)).collect();
    }
    let width = new.len() + 1;
    // `longest[i * width + j]`: of `old[i..]` and `new[j..]`.
    let mut longest = vec![0_u16; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            lines.push(Line::Same(old[i].to_owned()));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            lines.push(removed(&old[i]));
            i += 1;
        } else {
            lines.push(added(&new[j]));
            j += 1;
        }
    }
    lines.extend(old[i..].iter().map(removed));
    lines.extend(new[j..].iter().map(added));
    lines
}

/// Leaves out what lies far from a change.
fn shortened(all: Vec<Line>) -> Vec<Line> {
    let is_change = |line: &Line| matches!(line, Line::Added(_) | Line::Removed(_));
    let near: Vec<bool> = (0..all.len())
        .map(|at| {
            let end = (at + CONTEXT + 1).min(all.len());
            all[at.saturating_sub(CONTEXT)..end].iter().any(is_change)
        })
        .collect();
    let mut lines: Vec<Line> = Vec::new();
    for (line, is_near) in all.into_iter().zip(near) {
        if is_near {
            lines.push(line);
        } else if lines.last() != Some(&Line::Gap) {
            lines.push(Line::Gap);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(before: &str, after: &str) -> Vec<String> {
        diff(before, after).iter().map(Line::words).collect()
    }

    #[test]
    fn only_what_changes_is_shown_with_a_little_around_it() {
        assert_eq!(words("", "a\nb\n"), ["+ a", "+ b"]);
        assert_eq!(words("a\n", "a\n"), ["…"]);
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        assert_eq!(
            words(before, after),
            ["…", "  3", "  4", "- 5", "+ five", "  6", "  7", "  8", "+ 9"]
        );
    }
}
