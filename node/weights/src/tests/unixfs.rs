//! `unixfs.json`: every CID that kubo, boxo and the npm importer gave, written and read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use bytes::Bytes;
use cid::Cid;
use serde_json::Value;

use super::generators::{UNIXFS, chacha20, content, field, profiles, splitmix};
use crate::{
    block::{Block, BlockError, digest_of, sha256},
    hashing,
    unixfs::{
        Child, NewEntry, Profile, ReadError, WriteDirectoryError, dag_pb, data, directory, import_bytes,
        read::{Form, Plan, Planner, unwrap_leaf},
        tree::{self, LeafHasher},
        write_directory,
    },
};

type BlockMap = BTreeMap<Cid, Block>;

fn rows(name: &str) -> &'static Vec<Value> {
    UNIXFS[name].as_array().unwrap()
}

fn cases(group: &str) -> Vec<&'static Value> {
    let cases: Vec<_> = rows("more_cases")
        .iter()
        .filter(|case| case["group"] == group)
        .collect();
    assert!(!cases.is_empty(), "no case of {group}");
    cases
}

fn profile(case: &Value) -> Profile {
    let mut profile = profiles()[case["config"].as_str().unwrap()];
    profile.inline_limit = case["inline_limit"].as_u64().map(|limit| limit as u8);
    profile
}

fn cid(text: &Value) -> Cid {
    text.as_str().unwrap().try_into().unwrap()
}

/// Compares root, cumulative size and number of blocks, and reads the file back.
fn check_file(case: &Value, profile: &Profile, content: &Bytes) -> BlockMap {
    let (root, blocks) = import_bytes(profile, content).unwrap();
    assert_eq!(root.cid, cid(&case["cid"]), "{case}");
    assert_eq!(root.dag_bytes, field::<u64>(case, "dag_size"), "{case}");
    if let Some(n_blocks) = case["blocks"].as_u64() {
        // Some rows count a block that comes twice once.
        let distinct: BTreeSet<&Cid> = blocks.iter().map(Block::cid).collect();
        assert!(
            [blocks.len(), distinct.len()].contains(&(n_blocks as usize)),
            "{case}"
        );
    }
    let map: BlockMap = blocks.into_iter().map(|block| (*block.cid(), block)).collect();
    check_block_list(case, &map);
    assert_eq!(assemble(&map, root.cid), content, "{case}");
    map
}

fn check_block_list(case: &Value, blocks: &BlockMap) {
    let Some(list) = case["block_list"].as_array() else {
        return;
    };
    for wanted in list {
        let block = &blocks[&cid(&wanted["cid"])];
        if let Some(bytes) = wanted["hex"].as_str() {
            assert_eq!(hex::encode(block.bytes()), bytes);
        } else if let Some(length) = wanted["length"].as_u64() {
            assert_eq!(block.bytes().len() as u64, length);
        } else {
            assert!(Block::from_identity(*block.cid()).is_some(), "{wanted}");
        }
    }
    let listed: BTreeSet<Cid> = list.iter().map(|wanted| cid(&wanted["cid"])).collect();
    assert_eq!(listed, blocks.keys().copied().collect());
}

fn plan(blocks: &BlockMap, root: Cid) -> Result<Plan, ReadError> {
    let mut planner = Planner::new(root)?;
    while let Some(wanted) = planner.wanted(3).first() {
        planner.give(&blocks[wanted])?;
    }
    Ok(planner.finish().unwrap())
}

/// Reads a file as a download would: nodes first, then each leaf at its place.
fn assemble(blocks: &BlockMap, root: Cid) -> Bytes {
    let plan = plan(blocks, root).unwrap();
    let mut bytes = vec![0; plan.size as usize];
    let mut n_bytes = 0;
    let mut put = |at: u64, part: &[u8]| {
        bytes[at as usize..at as usize + part.len()].copy_from_slice(part);
        n_bytes += part.len() as u64;
    };
    for (at, part) in &plan.inline {
        put(*at, part);
    }
    for piece in &plan.pieces {
        let block = &blocks[&piece.cid];
        match piece.form {
            Form::Raw => put(piece.offset, block.bytes()),
            Form::Wrapped => put(piece.offset, &unwrap_leaf(block, piece.length).unwrap().1),
        }
    }
    assert_eq!(n_bytes, plan.size, "parts overlap or are missing");
    bytes.into()
}

#[test]
fn files_of_all_profiles() {
    let profiles = profiles();
    let inputs: BTreeMap<&str, Bytes> = rows("inputs")
        .iter()
        .map(|input| (input["id"].as_str().unwrap(), content(input)))
        .collect();
    assert_eq!(rows("files").len(), 102);
    for case in rows("files").iter().chain(rows("tiny_dags")) {
        let profile = &profiles[case["config"].as_str().unwrap()];
        check_file(case, profile, &inputs[case["input"].as_str().unwrap()]);
    }
}

#[test]
fn files_on_disk_give_the_same_on_any_number_of_threads() {
    let file = tempfile::tempfile().unwrap();
    let content = splitmix(6, 178_177);
    std::io::Write::write_all(&mut &file, &content).unwrap();
    for profile in profiles().values() {
        let (root, blocks) = import_bytes(profile, &content).unwrap();
        for threads in [1, 2, 7] {
            let imported = hashing::import_file(profile, &file, content.len() as u64, threads).unwrap();
            assert_eq!(imported.root, root);
            assert_eq!(imported.leaves.len() + imported.nodes.len(), blocks.len());
        }
        let blocks: BlockMap = blocks.into_iter().map(|block| (*block.cid(), block)).collect();
        let found = hashing::check_file(&plan(&blocks, root.cid).unwrap(), &file, 3, &|| false).unwrap();
        assert!(found.iter().all(|found| *found != hashing::PieceCheck::Wrong));
    }
}

#[test]
fn goldens_of_kubo() {
    for case in rows("kubo_golden") {
        let size = case["size"].as_u64().unwrap_or(0);
        if size < 64 << 20 {
            let bytes = content(case);
            let (root, _) = import_bytes(&profile(case), &bytes).unwrap();
            assert_eq!(root.cid, cid(&case["cid"]), "{case}");
        }
    }
}

/// The golden file of 1 GiB and its neighbour of one byte more, hashed leaf by leaf out of the generator.
#[test]
fn goldens_of_a_gibibyte() {
    let large: Vec<_> = rows("kubo_golden")
        .iter()
        .filter(|case| case["size"].as_u64() > Some(64 << 20))
        .collect();
    let seed = large[0]["chacha20_seed"].as_str().unwrap();
    let profile = Profile::V1_2025;
    let chunk = profile.chunk_bytes as usize;
    let leaf = |leaf_idx: usize, length: usize| {
        let mut bytes = vec![0; length];
        chacha20(seed, (leaf_idx * chunk / 64) as u32, &mut bytes);
        let mut hasher = LeafHasher::new(&profile, length);
        hasher.update(&bytes);
        hasher.finish(&profile)
    };
    let leaves: Mutex<BTreeMap<usize, Child>> = Mutex::default();
    std::thread::scope(|scope| {
        for begin in 0..2 {
            let (leaf, leaves) = (&leaf, &leaves);
            scope.spawn(move || {
                for leaf_idx in (begin..1024).step_by(2) {
                    let child = leaf(leaf_idx, chunk);
                    leaves.lock().unwrap().insert(leaf_idx, child);
                }
            });
        }
    });
    let whole: Vec<Child> = leaves.into_inner().unwrap().into_values().collect();
    assert_eq!(large.len(), 2);
    for case in large {
        let mut leaves = whole.clone();
        let rest = field::<usize>(case, "size") - (1 << 30);
        if rest > 0 {
            leaves.push(leaf(1024, rest));
        }
        assert_eq!(
            tree::build(&profile, leaves, |_| {}).unwrap().cid,
            cid(&case["cid"]),
            "{case}"
        );
    }
}

#[test]
fn well_known() {
    let known = &UNIXFS["well_known"];
    for (version, profile) in [("v0", Profile::V0_2015), ("v1", Profile::V1_2025)] {
        let (_, folder) = write_directory(&profile, Vec::new()).unwrap();
        assert_eq!(folder.cid, cid(&known[format!("empty_directory_{version}")]));
    }
    let empty = |profile| import_bytes(profile, &Bytes::new()).unwrap().0.cid;
    assert_eq!(empty(&Profile::V0_2015), cid(&known["empty_file_v0"]));
    assert_eq!(empty(&Profile::V1_2025), cid(&known["empty_file_v1_raw"]));
    assert!(
        Block::from_identity(cid(&known["gateway_probe_identity"]))
            .unwrap()
            .bytes()
            .is_empty()
    );
}

#[test]
fn folders() {
    for case in rows("directories") {
        let blocks = check_folders(case, cid(&case["root"]));
        if let Some(bytes) = case["root_block_hex"].as_str() {
            assert_eq!(hex::encode(blocks[&cid(&case["root"])].bytes()), bytes);
        }
    }
    let inlined = cases("inline")
        .into_iter()
        .filter(|case| case["entries"].is_array());
    for case in cases("directory").into_iter().chain(inlined) {
        let blocks = check_folders(case, cid(&case["cid"]));
        check_block_list(case, &blocks);
    }
}

/// Writes the files and folders of a case and compares every CID. Answers the blocks of the folders.
fn check_folders(case: &Value, root: Cid) -> BlockMap {
    let mut folders: BTreeMap<String, Vec<NewEntry>> = BTreeMap::from([(String::new(), Vec::new())]);
    let mut profile = profile(case);
    for entry in field::<Vec<Value>>(case, "entries") {
        let path: String = field(&entry, "path");
        if entry["empty_directory"] == true {
            folders.entry(path.trim_end_matches('/').to_owned()).or_default();
            continue;
        }
        let wanted = cid(&entry["cid"]);
        profile.inline_limit = Block::from_identity(wanted).map(|_| 32);
        let child = import_bytes(&profile, &content(&entry)).unwrap().0;
        assert_eq!(child.cid, wanted);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        folders.entry(folder.to_owned()).or_default().push(NewEntry {
            name: name.to_owned(),
            child,
        });
        // Folders that hold only folders exist too.
        for (at, _) in folder.match_indices('/') {
            folders.entry(folder[..at].to_owned()).or_default();
        }
    }
    profile.inline_limit = None;
    let mut blocks = BTreeMap::new();
    // The deepest come last in the order of names, so they are written first.
    while let Some((path, entries)) = folders.pop_last() {
        let (block, child) = write_directory(&profile, entries).unwrap();
        blocks.insert(child.cid, block);
        let Some((folder, name)) = path
            .rsplit_once('/')
            .or((!path.is_empty()).then_some(("", path.as_str())))
        else {
            assert_eq!((child.cid, child.dag_bytes), (root, field(case, "dag_size")));
            break;
        };
        folders.entry(folder.to_owned()).or_default().push(NewEntry {
            name: name.to_owned(),
            child,
        });
    }
    blocks
}

#[test]
fn other_ways_to_write_files() {
    for group in ["exact-multiple", "duplicate-leaves", "inline"] {
        for case in cases(group).into_iter().filter(|case| case["input"].is_object()) {
            check_file(case, &profile(case), &content(&case["input"]));
        }
    }
}

#[test]
fn other_hashes_are_refused_by_name() {
    for case in cases("other-hash") {
        let name: String = field(case, "hash");
        let Err(ReadError::Hash(error @ BlockError::UnknownHash { .. })) = Planner::new(cid(&case["cid"]))
        else {
            panic!("{case}");
        };
        assert!(error.to_string().contains(&name), "{error}");
    }
}

#[test]
fn mode_and_mtime_are_read_over() {
    for case in cases("mode-mtime") {
        let content = content(&case["input"]);
        let (_, leaves) = import_bytes(&profile(case), &content).unwrap();
        let mut blocks: BlockMap = leaves.into_iter().map(|block| (*block.cid(), block)).collect();
        let root = hex::decode(field::<String>(case, "root_block_hex")).unwrap();
        let root = Block::verify(cid(&case["cid"]), root.into()).unwrap();
        let root_cid = *root.cid();
        blocks.insert(root_cid, root);
        assert_eq!(assemble(&blocks, root_cid), content);
    }
}

#[test]
fn other_layouts_and_chunkers_are_read() {
    for case in cases("trickle").into_iter().chain(cases("variable-chunks")) {
        let content = content(&case["input"]);
        let listed = field::<Vec<Value>>(case, "block_list");
        let block = |listed: &Value| {
            let bytes = hex::decode(listed["hex"].as_str()?).unwrap();
            let block = Block::verify(cid(&listed["cid"]), bytes.into()).unwrap();
            Some((*block.cid(), block))
        };
        let blocks: BlockMap = listed.iter().filter_map(block).collect();
        let plan = plan(&blocks, cid(&case["cid"])).unwrap();
        let mut at = 0;
        for piece in &plan.pieces {
            assert_eq!(piece.offset, at);
            let part = &content[at as usize..(at + piece.length) as usize];
            match piece.form {
                Form::Raw => assert_eq!(digest_of(&piece.cid), Some(sha256(part))),
                Form::Wrapped => {
                    let (_, found) = unwrap_leaf(&blocks[&piece.cid], piece.length).unwrap();
                    assert_eq!(found, part);
                }
            }
            at += piece.length;
        }
        assert_eq!(at, content.len() as u64);
    }
}

#[test]
fn a_symbolic_link_is_no_file() {
    for case in cases("symlink") {
        let bytes = hex::decode(field::<String>(case, "symlink_block_hex")).unwrap();
        let link = Block::verify(cid(&case["symlink_cid"]), bytes.into()).unwrap();
        let mut planner = Planner::new(*link.cid()).unwrap();
        let error = planner.give(&link).unwrap_err();
        assert_eq!(
            error,
            ReadError::NotAFile {
                cid: *link.cid(),
                found: "symbolic link"
            }
        );
    }
}

#[test]
fn sharded_folders_are_read_and_not_written() {
    for case in cases("hamt") {
        let Some(list) = case["block_list"].as_array() else {
            continue;
        };
        let block = |listed: &Value| {
            let bytes = hex::decode(field::<String>(listed, "hex")).unwrap();
            let block = Block::verify(cid(&listed["cid"]), bytes.into()).unwrap();
            (*block.cid(), block)
        };
        let blocks: BlockMap = list.iter().map(block).collect();
        let mut entries = BTreeMap::new();
        let mut shards = vec![cid(&case["cid"])];
        while let Some(shard) = shards.pop() {
            let node = dag_pb::decode(blocks[&shard].bytes()).unwrap();
            let message = data::decode(node.data.as_ref().unwrap()).unwrap();
            let listing = directory::list(&node, &message).unwrap().unwrap();
            entries.extend(listing.entries);
            shards.extend(listing.shards);
        }
        let wanted: BTreeMap<String, Cid> = (0..field::<u64>(case, "n"))
            .map(|i| {
                let root = import_bytes(&Profile::V1_2025, &splitmix(1000 + i, 5)).unwrap().0;
                (format!("file-{i:04}.bin"), root.cid)
            })
            .collect();
        assert_eq!(entries, wanted);
    }
}

#[test]
fn folders_at_the_limit() {
    let golden = &UNIXFS["kubo_golden_directories"];
    let alphabet: String = field(golden, "alphabet");
    for case in field::<Vec<Value>>(golden, "cases") {
        let profile = profile(&case);
        let child = import_bytes(&profile, &Bytes::from_static(b"x")).unwrap().0;
        let n: usize = field(&case, "n");
        let (name_len, last_name_len): (usize, usize) =
            (field(&case, "name_len"), field(&case, "last_name_len"));
        let mut stream = vec![0; n * name_len + last_name_len];
        chacha20(&field::<String>(&case, "chacha20_seed"), 0, &mut stream);
        let mut letters = stream
            .iter()
            .map(|byte| char::from(alphabet.as_bytes()[usize::from(*byte) % 39]));
        let entries = (0..n)
            .map(|idx| {
                let length = if idx + 1 == n { last_name_len } else { name_len };
                NewEntry {
                    name: letters.by_ref().take(length).collect(),
                    child,
                }
            })
            .collect();
        let written = write_directory(&profile, entries);
        if field::<String>(&case, "kind").starts_with("HAMT") {
            assert!(
                matches!(written, Err(WriteDirectoryError::TooLarge { .. })),
                "{case}"
            );
        } else {
            assert_eq!(written.unwrap().1.cid, cid(&case["root"]), "{case}");
        }
    }
}

#[test]
fn lying_nodes_are_refused() {
    let leaf = import_bytes(&Profile::V1_2025, &Bytes::from_static(b"abcd"))
        .unwrap()
        .0;
    let link = |name: &str| dag_pb::Link {
        cid: leaf.cid,
        name: Some(name.to_owned()),
        tsize: Some(4),
    };
    let node = |links: &[dag_pb::Link], message: &[u8]| {
        Block::new(
            cid::Version::V1,
            crate::block::DAG_PB,
            dag_pb::encode(links, message).into(),
        )
    };
    let sizes = |what| move |cid| ReadError::Sizes { cid, what };
    let cases: [(Block, &dyn Fn(Cid) -> ReadError); 4] = [
        (
            node(&[link("")], &data::encode_file(&[], 4, &[4, 4])),
            &sizes("links and block sizes differ in number"),
        ),
        (
            node(&[link("")], &data::encode_file(&[], 5, &[4])),
            &sizes("the file size is not the sum of the block sizes"),
        ),
        (
            node(&[link(""), link("")], &data::encode_file(&[], 4, &[u64::MAX, 5])),
            &sizes("their sum does not fit 64 bits"),
        ),
        (node(&[link("x")], &data::encode_file(&[], 4, &[4])), &|cid| {
            ReadError::NamedLink { cid }
        }),
    ];
    for (block, error) in cases {
        let mut planner = Planner::new(*block.cid()).unwrap();
        assert_eq!(planner.give(&block), Err(error(*block.cid())));
    }
}

/// A few nodes that each link the next one twice would make a file of 2^40 leaves.
#[test]
fn a_bomb_of_nodes_is_refused() {
    let mut below = import_bytes(&Profile::V1_2025, &Bytes::from_static(b"x"))
        .unwrap()
        .0;
    let mut blocks = BlockMap::new();
    for _ in 0..31 {
        let mut made = Vec::new();
        let profile = Profile {
            max_links: 2,
            ..Profile::V1_2025
        };
        below = tree::build(&profile, vec![below, below], |block| made.push(block)).unwrap();
        blocks.extend(made.into_iter().map(|block| (*block.cid(), block)));
    }
    assert_eq!(plan(&blocks, below.cid), Err(ReadError::TooLarge));
}
