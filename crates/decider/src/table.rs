//! Where a state keeps its many entities: each in a row that never moves, and
//! found by its id in constant time.
//!
//! A row has a number for as long as the state lives; what refers to an entity
//! keeps four bytes. Numbers are in the order of arrival, which a snapshot does
//! not keep: nothing that is told or written may depend on them.
//!
//! Rows are in blocks. What is frozen shares them for as long as none changes,
//! so that a state can be written down while it goes on.

use std::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
    ops::{Deref, Index},
    sync::Arc,
};

use hashbrown::HashTable;
use serde::{Serialize, Serializer};

pub use crate::roll::Roll;
/// For tables of what nobody can choose so that it collides: quick, and seeded
/// anew for each.
pub use hashbrown::DefaultHashBuilder;

/// Rows that are allocated at once.
const BLOCK_ROWS: usize = 1024;

/// What has an id by which it is found and ordered.
pub trait Entity {
    type Id: Eq + Hash + Ord;
    /// Never changes.
    fn id(&self) -> &Self::Id;
}

/// The number of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row(u32);

impl Row {
    /// From 0 on, in the order of arrival.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Entities by id. None is ever taken out: what has happened has happened.
pub struct Table<T> {
    blocks: Vec<Block<T>>,
    rows: HashTable<u32>,
    /// That whose id is behind all others.
    greatest: Option<Row>,
    hasher: DefaultHashBuilder,
}

/// Rows in a row. Most are never shared, and cost no count of who has them.
enum Block<T> {
    Own(Vec<T>),
    /// With what was frozen, or was until it went.
    Shared(Arc<Vec<T>>),
}

impl<T> Block<T> {
    /// To change it; copied where another has it too.
    #[inline]
    fn own(&mut self) -> &mut Vec<T>
    where
        T: Clone,
    {
        if let Self::Shared(shared) = self {
            *self = Self::Own(Arc::unwrap_or_clone(std::mem::take(shared)));
        }
        match self {
            Self::Own(rows) => rows,
            Self::Shared(_) => unreachable!("it is our own now"),
        }
    }

    fn share(&mut self) -> Self {
        if let Self::Own(rows) = self {
            *self = Self::Shared(Arc::new(std::mem::take(rows)));
        }
        match self {
            Self::Shared(shared) => Self::Shared(Arc::clone(shared)),
            Self::Own(_) => unreachable!("it is shared now"),
        }
    }
}

impl<T> Deref for Block<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Own(rows) => rows,
            Self::Shared(rows) => rows,
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            rows: HashTable::new(),
            greatest: None,
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<T: Entity> Table<T> {
    /// The row of the id.
    pub fn find<Q>(&self, id: &Q) -> Option<Row>
    where
        Q: Eq + Hash + ?Sized,
        T::Id: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(id);
        let same = |row: &u32| self[Row(*row)].id().borrow() == id;
        self.rows.find(hash, same).copied().map(Row)
    }

    /// Whether the id is certainly none of those here, since it is behind them
    /// all: quick, and often so where ids have the time in front.
    pub fn is_behind_all(&self, id: &T::Id) -> bool {
        self.greatest.is_none_or(|row| self[row].id() < id)
    }

    pub fn get<Q>(&self, id: &Q) -> Option<&T>
    where
        Q: Eq + Hash + ?Sized,
        T::Id: Borrow<Q>,
    {
        self.find(id).map(|row| &self[row])
    }

    /// To change anything but the id.
    pub fn get_mut<Q>(&mut self, id: &Q) -> Option<&mut T>
    where
        Q: Eq + Hash + ?Sized,
        T::Id: Borrow<Q>,
        T: Clone,
    {
        let row = self.find(id)?;
        Some(self.at_mut(row))
    }

    /// To change anything but the id.
    ///
    /// # Panics
    /// The row is another table's.
    pub fn at_mut(&mut self, row: Row) -> &mut T
    where
        T: Clone,
    {
        let n = row.0 as usize;
        &mut self.blocks[n / BLOCK_ROWS].own()[n % BLOCK_ROWS]
    }

    /// Adds what is not there yet, and gives its row.
    ///
    /// # Panics
    /// There are 2³² of them.
    pub fn insert(&mut self, entity: T) -> Row
    where
        T: Clone,
    {
        let number = u32::try_from(self.len()).expect("a partition has fewer entities");
        let hash = self.hasher.hash_one(entity.id());
        if self.is_behind_all(entity.id()) {
            self.greatest = Some(Row(number));
        }
        if self.blocks.last().is_none_or(|b| b.len() == BLOCK_ROWS) {
            // The first block grows: most tables stay small.
            let rows = if number == 0 { 0 } else { BLOCK_ROWS };
            self.blocks.push(Block::Own(Vec::with_capacity(rows)));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.own().push(entity);
        }
        let (blocks, hasher) = (&self.blocks, &self.hasher);
        self.rows.insert_unique(hash, number, |row| {
            let n = *row as usize;
            hasher.hash_one(blocks[n / BLOCK_ROWS][n % BLOCK_ROWS].id())
        });
        Row(number)
    }

    /// The entities as they are now, to be written down while this table goes
    /// on. Takes no time to speak of; what is changed afterwards is copied then,
    /// a block at a time. In it nothing is found by its id.
    #[must_use]
    pub fn frozen(&mut self) -> Self {
        Self {
            blocks: self.blocks.iter_mut().map(Block::share).collect(),
            rows: HashTable::new(),
            greatest: self.greatest,
            hasher: self.hasher.clone(),
        }
    }

    /// Makes room to be found for so many more, at once.
    pub fn reserve(&mut self, more: usize) {
        let (blocks, hasher) = (&self.blocks, &self.hasher);
        self.rows.reserve(more, |row| {
            let n = *row as usize;
            hasher.hash_one(blocks[n / BLOCK_ROWS][n % BLOCK_ROWS].id())
        });
    }

    /// The row of a number; none where there is no such row.
    #[must_use]
    pub fn row(&self, number: u32) -> Option<Row> {
        ((number as usize) < self.len()).then_some(Row(number))
    }

    /// All rows in the order of their numbers.
    pub fn all_rows(&self) -> impl Iterator<Item = Row> + use<T> {
        // Every row was given a number of 32 bits.
        (0..self.len() as u32).map(Row)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1) * BLOCK_ROWS;
        self.blocks.last().map_or(0, |last| full + last.len())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// In no order that means anything: for sums and searches.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    /// In the order of their ids. Sorts them: for what is written, not for
    /// what is asked often.
    #[must_use]
    pub fn sorted(&self) -> Vec<&T> {
        let mut all: Vec<&T> = self.iter().collect();
        all.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        all
    }

    /// As [`Self::sorted`], in half the memory.
    #[must_use]
    pub fn sorted_rows(&self) -> Vec<Row> {
        let mut all: Vec<Row> = self.all_rows().collect();
        // They come nearly in order, and a sort that keeps runs makes use of it.
        all.sort_by(|a, b| self[*a].id().cmp(self[*b].id()));
        all
    }
}

impl<T> Index<Row> for Table<T> {
    type Output = T;

    fn index(&self, row: Row) -> &T {
        let n = row.0 as usize;
        &self.blocks[n / BLOCK_ROWS][n % BLOCK_ROWS]
    }
}

impl<T: Entity + fmt::Debug> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sorted()).finish()
    }
}

/// As the list of its entities, which carry their own ids.
impl<T: Entity + Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.sorted())
    }
}
