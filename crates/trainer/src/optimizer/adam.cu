// Adam's step in place; the formulas are those of rule.rs.

typedef unsigned int u32;
typedef unsigned long long u64;

struct Adam {
    float beta1, rest1, beta2, rest2, step_size, v_correction, keep, epsilon;
};

__device__ void step(float *theta, float *m, float *v, u64 at, float g, Adam adam) {
    const float first = adam.beta1 * m[at] + adam.rest1 * g;
    const float second = adam.beta2 * v[at] + adam.rest2 * (g * g);
    m[at] = first;
    v[at] = second;
    theta[at] = theta[at] * adam.keep - adam.step_size * first / (sqrtf(second) * adam.v_correction + adam.epsilon);
}

// The factor of the gradient: `scale`, or a number on the device.
__device__ float factor(const float *scale_there, float scale) { return scale_there == nullptr ? scale : *scale_there; }

#define ADAM                                                                                                     \
    const float *scale_there, float scale, float beta1, float rest1, float beta2, float rest2, float step_size, \
        float v_correction, float keep, float epsilon
#define OF_ADAM {beta1, rest1, beta2, rest2, step_size, v_correction, keep, epsilon}

// All `n` numbers of a parameter.
extern "C" __global__ void adam_whole(float *theta, float *m, float *v, const float *gradient, u64 n, ADAM) {
    const u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) step(theta, m, v, i, gradient[i] * factor(scale_there, scale), OF_ADAM);
}

// Some rows of a table, a block for each: row `rows[r]` has the gradient r.
extern "C" __global__ void adam_rows(float *theta, float *m, float *v, const float *gradient, const u32 *rows,
                                     u32 width, ADAM) {
    const float by = factor(scale_there, scale);
    const u64 from = (u64)blockIdx.x * width, to = (u64)rows[blockIdx.x] * width;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) step(theta, m, v, to + i, gradient[from + i] * by, OF_ADAM);
}

// Makes all slots empty: all ones.
extern "C" __global__ void fill_slots(u32 *slots, u32 n) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) slots[i] = 0xffffffffu;
}

// Enters each row's gradient.
extern "C" __global__ void enter_rows(const u32 *rows, u32 *slots, u32 n_rows) {
    const u32 r = blockIdx.x * blockDim.x + threadIdx.x;
    if (r < n_rows) slots[rows[r]] = r;
}

// All rows of a table, a block for each: a row without a slot has no gradient.
extern "C" __global__ void adam_table(float *theta, float *m, float *v, const float *gradient, const u32 *slots,
                                      u32 width, ADAM) {
    const u32 slot = slots[blockIdx.x];
    const bool has_gradient = slot != 0xffffffffu;
    const float by = factor(scale_there, scale);
    const u64 from = (u64)slot * width, to = (u64)blockIdx.x * width;
    for (u32 i = threadIdx.x; i < width; i += blockDim.x) {
        step(theta, m, v, to + i, has_gradient ? gradient[from + i] * by : 0.0f, OF_ADAM);
    }
}
