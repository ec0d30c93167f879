// The norm of gradients, and the factor that clips them.

typedef unsigned long long u64;

// Of every block.
#define THREADS 256

// The sum of the threads' numbers, in the same order every time; only thread 0 has it.
__device__ double sum_of_block(double number) {
    __shared__ double sums[THREADS];
    sums[threadIdx.x] = number;
    for (int n = THREADS / 2; n > 0; n /= 2) {
        __syncthreads();
        if (threadIdx.x < n) sums[threadIdx.x] += sums[threadIdx.x + n];
    }
    return sums[0];
}

// Each block's sum of squares.
extern "C" __global__ void sum_squares(const float *numbers, u64 n, double *sums) {
    float sum = 0.0f;
#pragma unroll 4
    for (u64 i = (u64)blockIdx.x * THREADS + threadIdx.x; i < n; i += (u64)gridDim.x * THREADS) {
        sum += numbers[i] * numbers[i];
    }
    const double of_block = sum_of_block(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = of_block;
}

// The root of the sum of `n` sums, by one block.
extern "C" __global__ void norm_of_sums(const double *sums, u64 n, float *norm) {
    double sum = 0.0;
    for (u64 i = threadIdx.x; i < n; i += THREADS) sum += sums[i];
    const double of_block = sum_of_block(sum);
    if (threadIdx.x == 0) *norm = (float)sqrt(of_block);
}

// The factor that scales gradients of this norm to at most `max_norm`, by one thread.
extern "C" __global__ void clip_scale(const float *norm, double max_norm, float *scale) {
    *scale = (float)fmin(max_norm / (*norm + 1e-6), 1.0);
}
