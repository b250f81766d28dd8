//! Values as they are written back to YAML.

use super::quantity::{Bandwidth, Bytes, PerSecond, Percent, Shift, SignedPercent, Time, Times};

/// What can stand behind a key.
pub trait Yaml {
    /// `None` where the key is left out.
    fn yaml(&self) -> Option<String>;
}

impl<T: Yaml> Yaml for Option<T> {
    fn yaml(&self) -> Option<String> {
        self.as_ref().and_then(T::yaml)
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Yaml for $type {
            fn yaml(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}
plain!(u32, u64, bool, Time, Times, Percent, PerSecond, SignedPercent, Shift, Bytes, Bandwidth);

impl Yaml for String {
    fn yaml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

/// A JSON string is a YAML string too, whatever is in it.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
