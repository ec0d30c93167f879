//! Plans that cuDNN has refused, so that each is tried once.

use std::sync::{Mutex, PoisonError};

use super::plan::{CudnnAlgorithm, CudnnPlan, PlanShape};

static REFUSED: Mutex<Vec<PlanShape>> = Mutex::new(Vec::new());

/// The best plan; with the standard algorithm if cuDNN has refused it.
pub(super) fn best_plan_but(shape: PlanShape) -> CudnnPlan {
    let plan = shape.best_plan();
    let refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if refused.contains(&shape) {
        return CudnnPlan { algorithm: CudnnAlgorithm::Standard, ..plan };
    }
    plan
}

/// Remembers that cuDNN has refused the best plan.
pub(super) fn remember(shape: PlanShape) {
    let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if !refused.contains(&shape) {
        refused.push(shape);
    }
}
