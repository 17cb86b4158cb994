//! Verifying many signatures of few rings.
//!
//! All points of a check but `L` and `R` stay the same during a session: the members, the points they hash to, the
//! signer's key image. The verifier keeps tables for them. Only what a *valid* signature brought is kept, so that
//! garbage cannot push out what is in use.

use std::{collections::BTreeMap, sync::Arc};

use k256::ProjectivePoint;
use parking_lot::Mutex;

use super::{Image, Member, RingError, RingSignature, table::Table};

/// Verifies ring signatures, faster from the second of a ring on.
#[derive(Debug)]
pub struct RingVerifier {
    /// How many members and images are kept: 721 KB a member, 361 KB an image.
    capacity: usize,
    cache: Mutex<VerifierCache>,
}

#[derive(Debug, Default)]
struct VerifierCache {
    /// Counts uses; the entry with the smallest goes first.
    clock: u64,
    members: BTreeMap<[u8; 33], Entry<Member>>,
    images: BTreeMap<[u8; 33], Entry<Table>>,
    /// Images that one valid signature has shown: a table is built at the second.
    seen_images: BTreeMap<[u8; 33], Entry<()>>,
}

#[derive(Debug)]
struct Entry<T> {
    value: Arc<T>,
    used: u64,
}

/// A member with what is known of it.
struct CachedMember {
    member: Arc<Member>,
    cached: bool,
}

impl RingVerifier {
    /// A verifier that keeps up to `capacity` members and as many images.
    #[must_use]
    pub fn new(capacity: usize) -> RingVerifier {
        RingVerifier {
            capacity: capacity.max(1),
            cache: Mutex::default(),
        }
    }

    /// Checks the ring equation.
    ///
    /// # Errors
    /// A member or key image that is no point, or an equation that does not hold.
    pub fn verify(&self, signature: &RingSignature, message_hash: &[u8; 32]) -> Result<(), RingError> {
        let (members, image) = self.find(signature)?;
        // A member that was kept by an earlier signature is worth its tables.
        let with_tables = members
            .iter()
            .map(|found| (&*found.member, found.cached.then(|| found.member.tables())));
        // An image that has a table need not be decompressed again.
        let new_image = match &image {
            Some(_) => None,
            None => Some(signature.image_point()?),
        };
        if let Some(table) = &image {
            signature.walk_around(message_hash, &Image::Table(table), with_tables)?;
        } else if let Some(point) = &new_image {
            signature.walk_around(message_hash, &Image::Point(point), with_tables)?;
        }
        self.keep(signature, members, new_image);
        Ok(())
    }

    fn find(&self, signature: &RingSignature) -> Result<(Vec<CachedMember>, Option<Arc<Table>>), RingError> {
        let mut cache = self.cache.lock();
        cache.clock += 1;
        let now = cache.clock;
        let members = signature
            .keys()
            .map(|key| match touch(&mut cache.members, key, now) {
                Some(member) => Ok(CachedMember { member, cached: true }),
                None => Member::new(key).map(|member| CachedMember {
                    member: Arc::new(member),
                    cached: false,
                }),
            })
            .collect::<Result<_, _>>()?;
        Ok((members, touch(&mut cache.images, signature.key_image(), now)))
    }

    fn keep(
        &self,
        signature: &RingSignature,
        members: Vec<CachedMember>,
        new_image: Option<ProjectivePoint>,
    ) {
        let image = *signature.key_image();
        let all_cached = members.iter().all(|found| found.cached);
        if all_cached && new_image.is_none() {
            return;
        }
        let mut cache = self.cache.lock();
        let now = cache.clock;
        for found in members.into_iter().filter(|found| !found.cached) {
            insert(
                &mut cache.members,
                found.member.key,
                found.member,
                now,
                self.capacity,
            );
        }
        let Some(point) = new_image else { return };
        if touch(&mut cache.seen_images, &image, now).is_none() {
            insert(&mut cache.seen_images, image, Arc::new(()), now, self.capacity);
            return;
        }
        drop(cache);
        let table = Arc::new(Table::new(&point));
        insert(&mut self.cache.lock().images, image, table, now, self.capacity);
    }
}

fn touch<T>(entries: &mut BTreeMap<[u8; 33], Entry<T>>, key: &[u8; 33], now: u64) -> Option<Arc<T>> {
    let entry = entries.get_mut(key)?;
    entry.used = now;
    Some(Arc::clone(&entry.value))
}

fn insert<T>(
    entries: &mut BTreeMap<[u8; 33], Entry<T>>,
    key: [u8; 33],
    value: Arc<T>,
    now: u64,
    capacity: usize,
) {
    if entries.len() >= capacity
        && !entries.contains_key(&key)
        && let Some(oldest) = entries
            .iter()
            .min_by_key(|(_, entry)| entry.used)
            .map(|(key, _)| *key)
    {
        entries.remove(&oldest);
    }
    entries.insert(key, Entry { value, used: now });
}
