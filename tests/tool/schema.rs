//! `schema`.
