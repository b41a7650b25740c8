/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of an element. */
#ifndef NX_PLUGINS_CUDA_BODY_FUNCTION_H
#define NX_PLUGINS_CUDA_BODY_FUNCTION_H

#include "plugins/cuda/body_element.h"

CU_FN float cu_sigmoid(float v)
{
	return 1.0f / (1.0f + expf(-v));
}

CU_FN float cu_softplus(float v)
{
	return v > 0 ? v + log1pf(expf(-v)) : log1pf(expf(v));
}

/* Those that need more than arithmetic. */
CU_FN float cu_smooth(int op, float v, float a, float b)
{
	switch (op) {
	case CU_OP_CELU:
		return fmaxf(0.0f, v) + fminf(0.0f, a * expm1f(v / a));
	case CU_OP_COS:
		return cosf(v);
	case CU_OP_ELU:
		return v < 0 ? a * expm1f(v) : v;
	case CU_OP_ERF:
		return erff(v);
	case CU_OP_EXP:
		return expf(v);
	case CU_OP_GELU:
		return 0.5f * v * (1.0f + erff(v * 0.70710678118654752f));
	case CU_OP_LOG:
		return logf(v);
	case CU_OP_MISH:
		return v * tanhf(cu_softplus(v));
	case CU_OP_SELU:
		return v > 0 ? b * v : b * a * expm1f(v);
	case CU_OP_SIGMOID:
		return cu_sigmoid(v);
	case CU_OP_SIN:
		return sinf(v);
	case CU_OP_SOFTPLUS:
		return cu_softplus(v);
	case CU_OP_SQRT:
		return sqrtf(v);
	case CU_OP_SWISH:
		return v * cu_sigmoid(v);
	case CU_OP_TANH:
		return tanhf(v);
	default:
		return v;
	}
}

CU_FN float cu_unary(int op, float v, float a, float b)
{
	switch (op) {
	case CU_OP_ABS:
		return fabsf(v);
	case CU_OP_AFFINE:
		return v * a + b;
	case CU_OP_CEIL:
		return ceilf(v);
	case CU_OP_CLIP:
		v = v < a ? a : v;
		return v > b ? b : v;
	case CU_OP_FLOOR:
		return floorf(v);
	case CU_OP_HARDSIGMOID:
		return fmaxf(0.0f, fminf(1.0f, a * v + b));
	case CU_OP_HARDSWISH:
		return v * fmaxf(0.0f, fminf(1.0f, v / 6.0f + 0.5f));
	case CU_OP_LEAKY:
		return v < 0 ? a * v : v;
	case CU_OP_NOT:
		return v == 0 ? 1.0f : 0.0f;
	case CU_OP_RECIPROCAL:
		return 1.0f / v;
	case CU_OP_ROUND:
		return rintf(v);
	case CU_OP_SIGN:
		return (float)((v > 0) - (v < 0));
	case CU_OP_SOFTSIGN:
		return v / (1.0f + fabsf(v));
	case CU_OP_THRESHOLDED:
		return v > a ? v : 0.0f;
	default:
		return cu_smooth(op, v, a, b);
	}
}

CU_FN float cu_binary(int op, float v, float x)
{
	switch (op) {
	case CU_OP_ADD:
		return v + x;
	case CU_OP_SUB:
		return v - x;
	case CU_OP_RSUB:
		return x - v;
	case CU_OP_MUL:
		return v * x;
	case CU_OP_DIV:
		return v / x;
	case CU_OP_RDIV:
		return x / v;
	case CU_OP_POW:
		return powf(v, x);
	case CU_OP_RPOW:
		return powf(x, v);
	case CU_OP_FMOD:
		return fmodf(v, x);
	case CU_OP_MAX:
		return v != v ? v : x != x ? x : v > x ? v : x;
	case CU_OP_MIN:
		return v != v ? v : x != x ? x : v < x ? v : x;
	case CU_OP_PRELU:
		return v < 0 ? v * x : v;
	case CU_OP_EQUAL:
		return v == x ? 1.0f : 0.0f;
	case CU_OP_GREATER:
		return v > x ? 1.0f : 0.0f;
	case CU_OP_GREATER_EQUAL:
		return v >= x ? 1.0f : 0.0f;
	case CU_OP_LESS:
		return v < x ? 1.0f : 0.0f;
	case CU_OP_LESS_EQUAL:
		return v <= x ? 1.0f : 0.0f;
	case CU_OP_AND:
		return v != 0 && x != 0 ? 1.0f : 0.0f;
	case CU_OP_OR:
		return v != 0 || x != 0 ? 1.0f : 0.0f;
	default:
		return (v != 0) != (x != 0) ? 1.0f : 0.0f;
	}
}

#endif
