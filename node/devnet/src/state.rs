//! The chain's state: one tree per store, what a block changed in them, and proofs of what they hold.

mod proof;
mod tree;

use std::collections::BTreeSet;

use ics23::CommitmentProof;

use tree::Tree;
pub(crate) use tree::{Hash, Leaf};

macro_rules! stores {
    ($($variant:ident = $name:literal,)*) => {
        /// The stores that this chain writes, in the order of their names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum StoreName { $($variant,)* }

        impl StoreName {
            pub(crate) const ALL: &[StoreName] = &[$(StoreName::$variant,)*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(StoreName::$variant => $name,)* }
            }

            pub(crate) fn parse(name: &str) -> Option<StoreName> {
                match name { $($name => Some(StoreName::$variant),)* _ => None }
            }
        }
    };
}

stores! {
    Acc = "acc",
    Application = "application",
    Authz = "authz",
    Bank = "bank",
    Gateway = "gateway",
    Migration = "migration",
    Proof = "proof",
    Service = "service",
    Session = "session",
    Shared = "shared",
    Supplier = "supplier",
    Tokenomics = "tokenomics",
}

/// Stores of the real chain that stay empty here, but can be asked.
pub(crate) const EMPTY_STORES: &[&str] = &[
    "capability",
    "circuit",
    "consensus",
    "crisis",
    "distribution",
    "evidence",
    "feegrant",
    "feeibc",
    "gov",
    "group",
    "ibc",
    "icacontroller",
    "icahost",
    "mint",
    "params",
    "slashing",
    "staking",
    "transfer",
    "upgrade",
];

/// One key that a block wrote or took out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) store: StoreName,
    pub(crate) key: Vec<u8>,
    /// `None`: the key is gone.
    pub(crate) value: Option<Vec<u8>>,
}

/// The state after some block, or amid one. A clone is cheap and independent: that is how a transaction is undone.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    trees: [Tree; StoreName::ALL.len()],
    /// The height whose block is being executed: the version of what is written now.
    height: u64,
    touched: BTreeSet<(StoreName, Vec<u8>)>,
}

impl State {
    /// The state in which block `height` is executed, with nothing changed so far.
    pub(crate) fn at(&self, height: u64) -> State {
        State {
            trees: self.trees.clone(),
            height,
            touched: BTreeSet::new(),
        }
    }

    /// The height of the block that is or was executed.
    pub(crate) fn height(&self) -> u64 {
        self.height
    }

    pub(crate) fn get(&self, store: StoreName, key: &[u8]) -> Option<&[u8]> {
        self.tree(store).get(key)
    }

    pub(crate) fn has(&self, store: StoreName, key: &[u8]) -> bool {
        self.get(store, key).is_some()
    }

    /// Writes a value. The same value again is no change.
    pub(crate) fn set(&mut self, store: StoreName, key: &[u8], value: Vec<u8>) {
        if self.get(store, key) == Some(value.as_slice()) {
            return;
        }
        let height = self.height;
        self.touched.insert((store, key.to_vec()));
        self.tree_mut(store).insert(key, value, height);
    }

    pub(crate) fn remove(&mut self, store: StoreName, key: &[u8]) {
        if self.tree_mut(store).remove(key) {
            self.touched.insert((store, key.to_vec()));
        }
    }

    /// All pairs whose key starts with `prefix`, in order.
    pub(crate) fn prefix(&self, store: StoreName, prefix: &[u8]) -> Vec<Leaf<'_>> {
        self.tree(store).prefix(prefix)
    }

    /// Reads a message.
    pub(crate) fn read<T: prost::Message + Default>(&self, store: StoreName, key: &[u8]) -> Option<T> {
        // Only this chain writes here, so what is there can be read.
        self.get(store, key).and_then(|bytes| T::decode(bytes).ok())
    }

    /// Writes a message.
    pub(crate) fn write<T: prost::Message>(&mut self, store: StoreName, key: &[u8], message: &T) {
        self.set(store, key, message.encode_to_vec());
    }

    /// All messages whose key starts with `prefix`, in the order of the keys.
    pub(crate) fn read_all<T: prost::Message + Default>(&self, store: StoreName, prefix: &[u8]) -> Vec<T> {
        self.prefix(store, prefix)
            .iter()
            .filter_map(|leaf| T::decode(leaf.value).ok())
            .collect()
    }

    /// What was changed since [`State::at`].
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.touched
            .iter()
            .map(|(store, key)| Change {
                store: *store,
                key: key.clone(),
                value: self.get(*store, key).map(<[u8]>::to_vec),
            })
            .collect()
    }

    /// Puts a change back that a block made, when the chain is read from its database.
    pub(crate) fn replay(&mut self, change: &Change, version: u64) {
        match &change.value {
            Some(value) => self
                .tree_mut(change.store)
                .insert(&change.key, value.clone(), version),
            None => {
                self.tree_mut(change.store).remove(&change.key);
            }
        }
    }

    pub(crate) fn app_hash(&self) -> Hash {
        proof::app_hash(&self.roots())
    }

    /// The two proofs from a key to the app hash: of the key in its store, and of the store. `None` for an empty store.
    pub(crate) fn prove(&self, store: &str, key: &[u8]) -> Option<[CommitmentProof; 2]> {
        let tree = StoreName::parse(store).map(|store| self.tree(store))?;
        Some([
            proof::prove(tree, key)?,
            proof::prove_store(&self.roots(), store)?,
        ])
    }

    fn roots(&self) -> Vec<(&'static str, Hash)> {
        let empty = Tree::default().root_hash();
        let mut roots: Vec<(&'static str, Hash)> = EMPTY_STORES.iter().map(|name| (*name, empty)).collect();
        roots.extend(
            StoreName::ALL
                .iter()
                .map(|store| (store.as_str(), self.tree(*store).root_hash())),
        );
        roots.sort_unstable_by_key(|(name, _)| *name);
        roots
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one tree per variant")]
    fn tree(&self, store: StoreName) -> &Tree {
        &self.trees[store as usize]
    }

    #[allow(clippy::indexing_slicing, reason = "the array has one tree per variant")]
    fn tree_mut(&mut self, store: StoreName) -> &mut Tree {
        &mut self.trees[store as usize]
    }
}
