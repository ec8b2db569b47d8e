/* Included before all else in each source of librdkafka: what it allocates is zeroed. Why:
 * docs/decisions/0009-librdkafka-gets-zeroed-memory.md.
 *
 * No system header may be included here but stddef.h, since librdkafka chooses what those declare.
 * So the macro stands before the declaration of malloc in stdlib.h, which then declares
 * zeroed_malloc once more. */
#if !defined(WATERMART_ZEROED_MALLOC_H) && !defined(__cplusplus)
#define WATERMART_ZEROED_MALLOC_H
#include <stddef.h>
extern void *calloc(size_t, size_t);
extern void *malloc(size_t);
static inline void *zeroed_malloc(size_t size) { return calloc(1, size); }
#define malloc(size) zeroed_malloc(size)
/* By this a test sees that a program has it. */
__attribute__((used)) static const char zeroed_malloc_is_in[] = "librdkafka with zeroed memory";
#endif
