//! Whole-program tests, one module per subject.
