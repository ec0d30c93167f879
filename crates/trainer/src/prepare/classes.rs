//! The task of a network, and the classes of a table.

use dataset::Classes;
use model::Task;

use crate::error::Result;

/// The task of a table's labels.
///
/// # Errors
/// If the names of the classes are not distinct.
pub fn task_of(classes: &Classes) -> Result<Task> {
    let kind = match classes.task {
        dataset::TaskKind::Binary => model::TaskKind::Binary,
        dataset::TaskKind::OneOf => model::TaskKind::OneOf,
        dataset::TaskKind::AnyOf => model::TaskKind::AnyOf,
    };
    Ok(Task::new(kind, classes.names.iter().cloned())?)
}

/// The classes of a model, as those of a table whose labels must be among them. `separator`: of several labels
/// in one cell.
pub fn classes_of(task: &Task, separator: Option<char>) -> Classes {
    let kind = match task.kind() {
        model::TaskKind::Binary => dataset::TaskKind::Binary,
        model::TaskKind::OneOf => dataset::TaskKind::OneOf,
        model::TaskKind::AnyOf => dataset::TaskKind::AnyOf,
    };
    Classes { separator, ..Classes::new(kind, task.classes().to_vec()) }
}
