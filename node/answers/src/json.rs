//! JSON as clients write it: how much of it there is, what everybody needs of it, its fields by name.

pub(crate) mod fields;
pub(crate) mod scan;
pub(crate) mod size;
pub(crate) mod surrogates;
