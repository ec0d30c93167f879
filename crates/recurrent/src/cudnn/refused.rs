//! Plans that cuDNN does not support, so that each is tried once.

use std::sync::{Mutex, PoisonError};

use candle_core::cuda_backend::DeviceId;

use super::plan::{CudnnAlgorithm, CudnnPlan, PlanShape};

static REFUSED: Mutex<Vec<(DeviceId, PlanShape)>> = Mutex::new(Vec::new());

/// The best plan; with the standard algorithm if the device's cuDNN has refused it.
pub(super) fn best_plan_but(device: DeviceId, shape: PlanShape) -> CudnnPlan {
    let plan = shape.best_plan();
    let refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if refused.contains(&(device, shape)) {
        return CudnnPlan { algorithm: CudnnAlgorithm::Standard, ..plan };
    }
    plan
}

/// Remembers that a device's cuDNN does not support the best plan.
pub(super) fn remember(device: DeviceId, shape: PlanShape) {
    let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if !refused.contains(&(device, shape)) {
        refused.push((device, shape));
    }
}
