//! The trees of other programs: nodes by id, some of which have no message that is taken in. Their children hang below
//! the nearest ancestor that has one.

use std::collections::BTreeMap;

use super::Entry;

/// A node of a tree.
pub(super) struct Node {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    /// `None`: its children go to its parent.
    pub(super) entry: Option<Entry>,
}

/// The messages, parents before their children and otherwise by time, and the place of the head. A parent that is not
/// there makes a root.
///
/// # Errors
/// Nodes that go in a circle.
pub(super) fn grow(nodes: Vec<Node>, head: Option<&str>) -> Result<(Vec<Entry>, Option<usize>), String> {
    let by_id: BTreeMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (node.id.as_str(), index))
        .collect();
    let parents: Vec<Option<usize>> = nodes
        .iter()
        .map(|node| node.parent.as_deref().and_then(|id| by_id.get(id).copied()))
        .collect();
    let order = from_the_roots(&parents)?;
    // The nearest node at or above each that has a message, and when and how deep that is at the earliest.
    let mut kept_at: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut keys: Vec<(i64, usize)> = vec![(i64::MIN, 0); nodes.len()];
    for index in order {
        let above = parents[index];
        let key = above.map_or((i64::MIN, 0), |above| keys[above]);
        (kept_at[index], keys[index]) = match &nodes[index].entry {
            Some(entry) => (Some(index), (key.0.max(entry.created_ms), key.1 + 1)),
            None => (above.and_then(|above| kept_at[above]), key),
        };
    }
    let mut places: Vec<usize> = (0..nodes.len())
        .filter(|index| nodes[*index].entry.is_some())
        .collect();
    places.sort_by_key(|index| (keys[*index], *index));
    let place_of: BTreeMap<usize, usize> = places
        .iter()
        .enumerate()
        .map(|(place, index)| (*index, place))
        .collect();
    let head = head
        .and_then(|id| by_id.get(id))
        .and_then(|index| kept_at[*index])
        .and_then(|index| place_of.get(&index).copied())
        .or(places.len().checked_sub(1));
    let above = |index: usize| parents[index].and_then(|above| kept_at[above]);
    let parent_of: Vec<Option<usize>> = places
        .iter()
        .map(|index| above(*index).and_then(|index| place_of.get(&index).copied()))
        .collect();
    let mut entries: Vec<Option<Entry>> = nodes.into_iter().map(|node| node.entry).collect();
    let messages = places
        .iter()
        .zip(parent_of)
        .filter_map(|(index, parent)| {
            Some(Entry {
                parent,
                ..entries[*index].take()?
            })
        })
        .collect();
    Ok((messages, head))
}

/// All nodes, each after its parent.
fn from_the_roots(parents: &[Option<usize>]) -> Result<Vec<usize>, String> {
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut order: Vec<usize> = Vec::with_capacity(parents.len());
    for (index, parent) in parents.iter().enumerate() {
        match parent {
            Some(parent) => children.entry(*parent).or_default().push(index),
            None => order.push(index),
        }
    }
    let mut next = 0;
    while let Some(index) = order.get(next).copied() {
        order.extend(children.remove(&index).unwrap_or_default());
        next += 1;
    }
    // What no root leads to.
    if order.len() < parents.len() {
        return Err("its messages go in a circle".to_owned());
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn node(id: &str, parent: &str, time: i64) -> Node {
        Node {
            id: id.into(),
            parent: Some(parent.into()),
            entry: (time > 0).then(|| Entry::of(Role::User, id.into(), time)),
        }
    }

    fn grown(nodes: Vec<Node>, head: Option<&str>) -> (Vec<(String, Option<usize>)>, Option<usize>) {
        let (entries, head) = grow(nodes, head).unwrap();
        let shown = entries.into_iter().map(|entry| (entry.content, entry.parent));
        (shown.collect(), head)
    }

    #[test]
    fn children_of_what_is_left_out_hang_above_it() {
        let nodes = vec![
            node("d", "c", 9),
            // Older than what it answers.
            node("c", "b", 1),
            node("b", "a", 0),
            node("a", "root", 5),
            node("root", "nowhere", 0),
            node("e", "a", 7),
        ];
        let (entries, head) = grown(nodes, Some("b"));
        let shown: Vec<(&str, Option<usize>)> = entries
            .iter()
            .map(|(id, parent)| (id.as_str(), *parent))
            .collect();
        assert_eq!(
            shown,
            [("a", None), ("c", Some(0)), ("e", Some(0)), ("d", Some(1))]
        );
        // The head itself is left out.
        assert_eq!(head, Some(0));
    }

    #[test]
    fn a_head_that_is_not_there_is_the_last_message() {
        let nodes = || vec![node("a", "", 1), node("b", "a", 2)];
        assert_eq!(grown(nodes(), Some("x")).1, Some(1));
        assert_eq!(grown(nodes(), None).1, Some(1));
        assert_eq!(grown(Vec::new(), None), (Vec::new(), None));
    }

    #[test]
    fn a_circle_is_refused() {
        assert!(grow(vec![node("a", "b", 1), node("b", "a", 1), node("c", "", 1)], None).is_err());
        assert!(grow(vec![node("a", "a", 1)], None).is_err());
    }
}
