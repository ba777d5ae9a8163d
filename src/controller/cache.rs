//! Objects of one kind as they were last seen: by the watch, or in the answer to a write of our own.
//!
//! # Guarantees
//! An object never goes back to an older version while it exists, whichever of the two brings it, also while the watch
//! lists everything anew. So nothing is decided upon a state that a later decision has left behind.
//!
//! An object that is gone does not come back, though the answer to a write of our own may arrive after the watch has told
//! of its end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::{Resource, ResourceExt};

/// Objects of one kind and one namespace, by name.
#[derive(Debug)]
pub struct Cache<K> {
    inner: Mutex<Inner<K>>,
}

#[derive(Debug)]
struct Inner<K> {
    objects: HashMap<String, Entry<K>>,
    /// Counts the lists that the watch has made.
    listing: u64,
    ended: Ended,
}

/// Uids of the objects whose end was told last: a uid is never given again.
#[derive(Debug, Default)]
struct Ended {
    uids: HashSet<String>,
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Entry<K> {
    object: Arc<K>,
    /// The list in or after which it was last seen.
    listing: u64,
}

/// More than go while a call to the API server has its time.
const MOST_ENDED: usize = 16_384;

impl Ended {
    fn has(&self, uid: Option<&str>) -> bool {
        uid.is_some_and(|uid| self.uids.contains(uid))
    }

    fn put(&mut self, uid: Option<&str>) {
        let Some(uid) = uid.filter(|uid| !self.uids.contains(*uid)) else {
            return;
        };
        if self.order.len() >= MOST_ENDED
            && let Some(oldest) = self.order.pop_front()
        {
            self.uids.remove(&oldest);
        }
        self.uids.insert(uid.to_owned());
        self.order.push_back(uid.to_owned());
    }
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                objects: HashMap::new(),
                listing: 0,
                ended: Ended::default(),
            }),
        }
    }
}

impl<K: Resource<DynamicType = ()>> Inner<K> {
    fn learn(&mut self, object: K) -> bool {
        let listing = self.listing;
        let name = object.name_any();
        match self.objects.get_mut(&name) {
            Some(entry) => {
                entry.listing = listing;
                let news = is_newer(&object, &entry.object);
                if news {
                    entry.object = Arc::new(object);
                }
                news
            }
            None => {
                let object = Arc::new(object);
                self.objects.insert(name, Entry { object, listing });
                true
            }
        }
    }
}

impl<K: Resource<DynamicType = ()>> Cache<K> {
    /// The object of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<K>> {
        self.lock().objects.get(name).map(|entry| entry.object.clone())
    }

    /// All objects.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        let inner = self.lock();
        inner.objects.values().map(|entry| entry.object.clone()).collect()
    }

    /// Takes an object over that the watch shows, unless this or a newer version of it is known. Says whether it was news.
    pub fn learn(&self, object: K) -> bool {
        self.lock().learn(object)
    }

    /// The same with one that an answer to a call of our own shows, unless the watch has told of its end.
    pub fn learn_answer(&self, object: K) -> bool {
        let mut inner = self.lock();
        !inner.ended.has(object.meta().uid.as_deref()) && inner.learn(object)
    }

    /// Drops an object that is gone; one of the same name that came after it stays. Says whether it was there.
    pub fn forget(&self, name: &str, uid: Option<&str>) -> bool {
        let mut inner = self.lock();
        let is_it = inner
            .objects
            .get(name)
            .is_some_and(|entry| uid.is_none() || entry.object.meta().uid.as_deref() == uid);
        if is_it {
            inner.objects.remove(name);
        }
        is_it
    }

    /// The watch has told of the end of the object with this uid: no answer brings it back. What only an answer or a list
    /// says is no such word, as either may be older than what was learnt since.
    pub fn end(&self, uid: Option<&str>) {
        self.lock().ended.put(uid);
    }

    /// The watch starts to list everything; [`Self::learn`] follows for each object.
    pub fn begin_list(&self) {
        self.lock().listing += 1;
    }

    /// The watch has listed everything: what was neither in the list nor written by us meanwhile is gone.
    pub fn end_list(&self) -> Vec<Arc<K>> {
        let mut inner = self.lock();
        let listing = inner.listing;
        let mut gone = Vec::new();
        inner.objects.retain(|_, entry| {
            let stays = entry.listing == listing;
            if !stays {
                gone.push(entry.object.clone());
            }
            stays
        });
        gone
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        // A panic while the lock is held leaves whole objects behind: each change is one insertion or removal.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `new` is another object than `known`, or a later version of it.
fn is_newer<K: Resource<DynamicType = ()>>(new: &K, known: &K) -> bool {
    let (new_meta, known_meta) = (new.meta(), known.meta());
    let version = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<u64>().ok());
    match (
        version(&new_meta.resource_version),
        version(&known_meta.resource_version),
    ) {
        // Numbers grow over all objects of a resource, one that is made anew under an old name included. A server with
        // another notion of versions is believed as it tells.
        (Some(new), Some(known)) => new > known,
        _ => new_meta.resource_version != known_meta.resource_version,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::core::ObjectMeta;

    use super::*;

    fn pod(name: &str, uid: &str, version: &str) -> Pod {
        Pod {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                uid: Some(uid.to_owned()),
                resource_version: Some(version.to_owned()),
                ..ObjectMeta::default()
            },
            ..Pod::default()
        }
    }

    fn version(cache: &Cache<Pod>, name: &str) -> Option<String> {
        cache.get(name)?.metadata.resource_version.clone()
    }

    #[test]
    fn an_object_never_goes_back() {
        let cache = Cache::default();
        assert!(cache.learn(pod("a", "1", "9")));
        assert!(
            !cache.learn(pod("a", "1", "9")),
            "the watch tells our own write back"
        );
        assert!(cache.learn(pod("a", "1", "10")));
        assert!(!cache.learn(pod("a", "1", "9")));
        assert_eq!(version(&cache, "a").as_deref(), Some("10"));
        assert!(cache.learn(pod("a", "2", "12")), "another object of that name");
        assert!(!cache.learn(pod("a", "1", "11")));
        assert!(!cache.forget("a", Some("1")));
        assert!(cache.forget("a", Some("2")));
    }

    /// Proves: OH2 (P)
    #[test]
    fn an_object_that_is_gone_does_not_come_back() {
        let cache = Cache::default();
        cache.learn(pod("a", "1", "9"));
        assert!(cache.forget("a", Some("1")));
        assert!(
            cache.learn_answer(pod("a", "1", "9")),
            "it was only said to be gone"
        );
        cache.end(Some("1"));
        assert!(cache.forget("a", Some("1")));
        assert!(
            !cache.learn_answer(pod("a", "1", "10")),
            "the answer to our own write comes late"
        );
        assert!(cache.get("a").is_none());
        assert!(
            cache.learn_answer(pod("a", "2", "12")),
            "another object of that name"
        );
        cache.end(Some("3"));
        assert!(
            !cache.learn_answer(pod("b", "3", "13")),
            "of which only the end was told"
        );
        for number in 0..MOST_ENDED {
            cache.end(Some(&format!("uid {number}")));
        }
        let inner = cache.lock();
        assert_eq!(
            (inner.ended.uids.len(), inner.ended.order.len()),
            (MOST_ENDED, MOST_ENDED)
        );
    }

    #[test]
    fn a_new_list_drops_what_is_gone_and_keeps_what_was_written_meanwhile() {
        let cache = Cache::default();
        for name in ["gone", "stays", "written"] {
            cache.learn(pod(name, name, "1"));
        }
        cache.begin_list();
        cache.learn(pod("stays", "stays", "1"));
        // Our own writes, after the server had made its list.
        cache.learn(pod("written", "written", "7"));
        cache.learn(pod("made", "made", "8"));
        cache.learn(pod("written", "written", "1"));
        let gone: Vec<String> = cache.end_list().iter().map(|pod| pod.name_any()).collect();
        assert_eq!(gone, ["gone"]);
        assert_eq!(version(&cache, "written").as_deref(), Some("7"));
        assert!(cache.get("made").is_some());
    }
}
