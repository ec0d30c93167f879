//! The threads that meet after each step.

use crate::machine::{Alarm, Barrier};

/// The members of a team that have the units of one direction among them.
#[derive(Clone, Copy)]
pub(crate) struct Team<'a> {
    pub(crate) barrier: &'a Barrier,
    pub(crate) alarm: &'a Alarm,
}

impl Team<'_> {
    /// Returns when all members have called it; what they wrote before is then visible to all.
    #[inline(always)]
    pub(crate) fn meet(&self) {
        self.barrier.wait(self.alarm);
    }
}
