//! The process's memory.

/// Returns memory that is free at the moment to the system: before work of another kind, whose blocks would
/// not fit into the old ones.
pub(crate) fn return_freed_memory() {
    recurrent::free_memory();
    heap::return_freed_memory();
}
