//! Names of the keys that belong to a lock. They bear its name as their hash tag, so they are in
//! its slot.

/// `{app:3}:account`
pub(super) fn account(key: &str) -> String {
    beside(key, "account")
}

/// A key in the slot of `key`, which may have a hash tag already.
pub(in crate::load) fn beside(key: &str, what: &str) -> String {
    // Servers take the first tag of a name.
    if key.contains('{') { format!("{key}:{what}") } else { format!("{{{key}}}:{what}") }
}
