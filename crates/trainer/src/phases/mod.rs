//! The phases of a training, in order: [`linear`], [`pretrain`], [`epochs`], [`refit`].
//!
//! Each is a function that advances a [`Training`](crate::training::Training) batch by batch, from wherever its
//! state is. What it learns of each batch goes through [`figures`].

mod epochs;
mod figures;
mod linear;
mod pretrain;
mod refit;
mod validate;

pub(crate) use epochs::epochs;
pub(crate) use figures::Unread;
pub(crate) use linear::linear;
pub(crate) use pretrain::pretrain;
pub(crate) use refit::refit;
pub(crate) use validate::validate;
