//! Texts that come again and again: reasons, ids of cadres and of checkpoints.
//! A state keeps each once.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// A text that may be shared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

impl Default for Name {
    fn default() -> Self {
        Self::from("")
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<Name> for Arc<str> {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl From<&Name> for String {
    fn from(name: &Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl Name {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Order and hash are those of the text, as `Borrow` demands.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        *self.0 == **other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Every name that was asked for, once. Not part of what a state says: it is
/// neither told nor written, and fills again on reading.
#[derive(Default, Clone)]
pub struct Names {
    all: Vec<Name>,
    numbers: HashMap<Name, u32>,
    /// What was asked for last is often what is asked for next; and the empty
    /// text is asked for most.
    last: u32,
    empty: Option<u32>,
}

impl Names {
    pub fn get(&mut self, text: &str) -> Name {
        let number = self.number(text);
        self.all[number as usize].clone()
    }

    /// A number for the text, the same for as long as this lives: from 0 on,
    /// in the order in which they were asked for.
    ///
    /// # Panics
    /// There are 2³² of them.
    pub fn number(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            let number = match self.empty {
                Some(number) => number,
                None => self.looked_up(text),
            };
            self.empty = Some(number);
            return number;
        }
        if self
            .all
            .get(self.last as usize)
            .is_none_or(|last| *last != *text)
        {
            self.last = self.looked_up(text);
        }
        self.last
    }

    fn looked_up(&mut self, text: &str) -> u32 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let number = u32::try_from(self.all.len()).expect("a state has fewer names");
        let new = Name::from(text);
        self.all.push(new.clone());
        self.numbers.insert(new, number);
        number
    }

    /// The number of a text that was asked for before.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    /// The name that has the number.
    #[must_use]
    pub fn at(&self, number: u32) -> Option<&Name> {
        self.all.get(number as usize)
    }

    /// Lets `name` share the text of its equals.
    pub fn share(&mut self, name: &mut Name) {
        *name = self.get(name);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}
