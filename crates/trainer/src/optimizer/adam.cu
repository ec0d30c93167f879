// Adam's step in place; the formulas are those of rule.rs.

typedef unsigned int u32;
typedef unsigned long long u64;

struct Adam {
    float beta1, rest1, beta2, rest2, step_size, v_correction, keep, epsilon;
};

__device__ void step(float &theta, float &m, float &v, float g, Adam adam) {
    m = adam.beta1 * m + adam.rest1 * g;
    v = adam.beta2 * v + adam.rest2 * (g * g);
    theta = theta * adam.keep - adam.step_size * m / (sqrtf(v) * adam.v_correction + adam.epsilon);
}

// A row of a table, by the threads of a block: four numbers at a time, if they are aligned. No gradient: `gradient` is
// null.
__device__ void step_row(float *theta, float *m, float *v, const float *gradient, float by, u32 width, Adam adam) {
    if (width % 4 == 0 && ((u64)theta | (u64)m | (u64)v | (u64)gradient) % 16 == 0) {
        float4 *theta4 = (float4 *)theta, *m4 = (float4 *)m, *v4 = (float4 *)v;
        for (u32 i = threadIdx.x; i < width / 4; i += blockDim.x) {
            float4 t = theta4[i], first = m4[i], second = v4[i], g = {0.0f, 0.0f, 0.0f, 0.0f};
            if (gradient != nullptr) g = ((const float4 *)gradient)[i];
            step(t.x, first.x, second.x, g.x * by, adam);
            step(t.y, first.y, second.y, g.y * by, adam);
            step(t.z, first.z, second.z, g.z * by, adam);
            step(t.w, first.w, second.w, g.w * by, adam);
            theta4[i] = t, m4[i] = first, v4[i] = second;
        }
    } else {
        for (u32 i = threadIdx.x; i < width; i += blockDim.x) {
            step(theta[i], m[i], v[i], gradient == nullptr ? 0.0f : gradient[i] * by, adam);
        }
    }
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
    if (i < n) step(theta[i], m[i], v[i], gradient[i] * factor(scale_there, scale), OF_ADAM);
}

// Some rows of a table, a block for each: row `rows[r]` has the gradient r.
extern "C" __global__ void adam_rows(float *theta, float *m, float *v, const float *gradient, const u32 *rows,
                                     u32 width, ADAM) {
    const u64 from = (u64)blockIdx.x * width, to = (u64)rows[blockIdx.x] * width;
    step_row(theta + to, m + to, v + to, gradient + from, factor(scale_there, scale), width, OF_ADAM);
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
    const u64 to = (u64)blockIdx.x * width;
    gradient = slot == 0xffffffffu ? nullptr : gradient + (u64)slot * width;
    step_row(theta + to, m + to, v + to, gradient, factor(scale_there, scale), width, OF_ADAM);
}
