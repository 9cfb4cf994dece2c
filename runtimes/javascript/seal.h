/* Seals the image at the end of the build: image.h says why. Included once, by shim.c, after
 * the engine, whose lists it takes apart.
 */
#ifndef LAZARET_SEAL_H
#define LAZARET_SEAL_H

/* A count of used blocks that no arena reaches: one with it never counts as full or empty, so
 * it neither joins a list nor is given back. */
#define NEVER_EMPTY 0x8000

static const JSMallocFunctions image_memory = {
    image_calloc, image_malloc, image_free, image_realloc, image_usable_size,
};

/* The collector's list of the image's objects: never walked, but they may still leave it. */
static struct list_head image_objects;

static void seal_objects(JSRuntime *rt)
{
    image_objects = rt->gc_obj_list;
    image_objects.next->prev = &image_objects;
    image_objects.prev->next = &image_objects;
    init_list_head(&rt->gc_obj_list);
}

/* Arenas of the image are never used again; an empty one of each size lies in the nursery. */
static void seal_arenas(JSRuntime *rt)
{
    JSArenaState *arenas = &rt->arena_state;
    struct list_head *each;
    for (int size = 0; size < JS_ARENA_BLOCK_SIZE_COUNT; size++) {
        list_for_each(each, &arenas->arena_list[size])
            list_entry(each, JSArena, link)->n_used_blocks = NEVER_EMPTY;
        init_list_head(&arenas->arena_list[size]);
        init_list_head(&arenas->free_arena_list[size]);
    }
    for (int size = 0; size < JS_ARENA_BLOCK_SIZE_COUNT; size++) {
        JSArena *arena = arena_new(rt, size);
        if (!arena)
            __builtin_trap();
    }
}

static void seal_image(JSRuntime *rt)
{
    seal_objects(rt);
    sealed_bytes = IMAGE_HEAP_BYTES;
    seal_arenas(rt);
}

#endif
