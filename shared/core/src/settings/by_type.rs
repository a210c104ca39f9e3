//! Values by their types.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// A value that only those who name its type get.
trait Kept: Any + Debug + Send + Sync {
    fn equals(&self, other: &dyn Kept) -> bool;
}

impl<T: Debug + PartialEq + Send + Sync + 'static> Kept for T {
    fn equals(&self, other: &dyn Kept) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<T>() == Some(self)
    }
}

impl PartialEq for dyn Kept {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other)
    }
}

/// At most one value of each type. One that is as by default is not kept, so that two of these are equal when all in them is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ByType(BTreeMap<TypeId, Arc<dyn Kept>>);

impl ByType {
    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        let value: &dyn Any = &**self.0.get(&TypeId::of::<T>())?;
        value.downcast_ref()
    }

    pub(super) fn set<T: Debug + Default + PartialEq + Send + Sync + 'static>(&mut self, value: T) {
        if value == T::default() {
            self.0.remove(&TypeId::of::<T>());
        } else {
            self.0.insert(TypeId::of::<T>(), Arc::new(value));
        }
    }
}
