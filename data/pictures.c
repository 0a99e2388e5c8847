/* Listing class folders. */
#include "data/pictures.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names of one folder's entries, while they are collected and sorted. */
struct names {
    char *text;
    size_t size, capacity;
    uint32_t count;
};

static ttt_status no_memory(const char *folder)
{
    return ttt_fail(TTT_MEMORY, "%s: not enough memory to list the pictures", folder);
}

/* `array` with room for at least `needed` elements of `size` bytes; NULL, and `array` as it was, when memory
 * has run out. */
static void *grow(void *array, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity && array)
        return array;
    size_t wanted = needed + needed / 2 + 64;
    void *larger = realloc(array, wanted * size);
    if (larger)
        *capacity = wanted;
    return larger;
}

static bool names_add(struct names *names, const char *name)
{
    size_t length = strlen(name) + 1;
    char *text = grow(names->text, &names->capacity, names->size + length, 1);
    if (!text)
        return false;
    names->text = text;
    memcpy(names->text + names->size, name, length);
    names->size += length;
    names->count++;
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in byte order: an array of pointers into names->text, which the caller frees; NULL: no memory. */
static char **names_sorted(const struct names *names)
{
    char **sorted = malloc((names->count + 1) * sizeof(*sorted));
    if (!sorted)
        return NULL;
    char *name = names->text;
    for (uint32_t i = 0; i < names->count; i++) {
        sorted[i] = name;
        name += strlen(name) + 1;
    }
    qsort(sorted, names->count, sizeof(*sorted), compare_names);
    return sorted;
}

/* Whether an entry is a folder; only links and file systems without types cost a system call. */
static bool is_folder(int folder, const struct dirent *entry)
{
    struct stat information;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(folder, entry->d_name, &information, 0) == 0 && S_ISDIR(information.st_mode);
}

static bool is_picture_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg") || !strcasecmp(dot, ".png"));
}

/* Opens PARENT/NAME for reading; `folder` is its path for messages. */
static ttt_status open_folder(int parent, const char *name, const char *folder, DIR **out)
{
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *out = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (*out)
        return TTT_OK;
    int reason = errno;
    if (descriptor >= 0)
        close(descriptor);
    if (reason == ENOENT || reason == ENOTDIR)
        return ttt_fail(TTT_ARGUMENT,
                        "%s: no such folder; a data root holds train/CLASS/ and val/CLASS/ with "
                        "pictures",
                        folder);
    return ttt_fail(reason == ENOMEM ? TTT_MEMORY : TTT_IO, "%s: the folder cannot be read: %s", folder,
                    strerror(reason));
}

/* Adds the folders (`folders`) or the pictures among a folder's entries to names; counts other files. */
static ttt_status list_entries(DIR *folder, const char *path, bool folders, struct names *names,
                               uint32_t *ignored)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry)
            break;
        if (entry->d_name[0] == '.' || is_folder(dirfd(folder), entry) != folders)
            continue;
        if (!folders && !is_picture_name(entry->d_name))
            ++*ignored;
        else if (!names_add(names, entry->d_name))
            return no_memory(path);
    }
    if (errno)
        return ttt_fail(TTT_IO, "%s: the folder cannot be read: %s", path, strerror(errno));
    return TTT_OK;
}

/* What a set takes while class after class is added to it. */
struct builder {
    struct pictures *set;
    DIR *folder;
    size_t name_capacity, text_size, text_capacity;
};

/* Appends the sorted names as pictures of the set. */
static ttt_status add_pictures(struct builder *builder, const struct names *names, char **sorted)
{
    struct pictures *set = builder->set;
    if (names->count > UINT32_MAX - set->count)
        return ttt_fail(TTT_UNSUPPORTED, "%s: more than %u pictures", set->folder, UINT32_MAX);
    size_t *offsets =
        grow(set->names, &builder->name_capacity, (size_t)set->count + names->count, sizeof(*set->names));
    if (!offsets)
        return no_memory(set->folder);
    set->names = offsets;
    char *text = grow(set->text, &builder->text_capacity, builder->text_size + names->size, 1);
    if (!text)
        return no_memory(set->folder);
    set->text = text;
    for (uint32_t i = 0; i < names->count; i++) {
        size_t length = strlen(sorted[i]) + 1;
        set->names[set->count++] = builder->text_size;
        memcpy(set->text + builder->text_size, sorted[i], length);
        builder->text_size += length;
    }
    return TTT_OK;
}

static ttt_status add_class(struct builder *builder, const char *name)
{
    struct names names = {0};
    struct pictures *set = builder->set;
    char **sorted = NULL, *path = NULL;
    DIR *folder = NULL;
    ttt_status status;
    if (asprintf(&path, "%s/%s", set->folder, name) < 0)
        return no_memory(set->folder);
    TRY_TO(open_folder(dirfd(builder->folder), name, path, &folder), cleanup);
    TRY_TO(list_entries(folder, path, false, &names, &set->ignored), cleanup);
    if (names.count == 0) {
        status = ttt_fail(TTT_ARGUMENT, "%s: the class has no pictures (.jpg, .jpeg, .png)", path);
        goto cleanup;
    }
    sorted = names_sorted(&names);
    TRY_TO(sorted ? add_pictures(builder, &names, sorted) : no_memory(path), cleanup);
cleanup:
    free(sorted);
    free(names.text);
    if (folder)
        closedir(folder);
    free(path);
    return status;
}

/* Copies the classes' names into the set, as folders and as titles. */
static ttt_status name_classes(struct pictures *set, char *const *names, char *const *titles, uint32_t count)
{
    set->class_names = calloc(count, sizeof(*set->class_names));
    set->class_titles = calloc(count, sizeof(*set->class_titles));
    set->class_first = calloc(count + 1, sizeof(*set->class_first));
    if (!set->class_names || !set->class_titles || !set->class_first)
        return no_memory(set->folder);
    set->class_count = count;
    for (uint32_t i = 0; i < count; i++) {
        set->class_names[i] = strdup(names[i]);
        set->class_titles[i] = strdup(titles[i]);
        if (!set->class_names[i] || !set->class_titles[i])
            return no_memory(set->folder);
    }
    return TTT_OK;
}

int64_t pictures_find_class(const struct pictures *set, const char *name)
{
    char **found =
        bsearch(&name, set->class_names, set->class_count, sizeof(*set->class_names), compare_names);
    return found ? found - set->class_names : -1;
}

static ttt_status check_classes(const struct pictures *set, char *const *found, uint32_t count,
                                const struct pictures *like)
{
    for (uint32_t i = 0; i < count; i++)
        if (pictures_find_class(like, found[i]) < 0)
            return ttt_fail(TTT_ARGUMENT, "%s/%s: the class is not among the %u of %s", set->folder, found[i],
                            like->class_count, like->folder);
    return TTT_OK;
}

/* Adds every class in order; `found` are the sorted folders, a subset of the set's classes. */
static ttt_status add_classes(struct builder *builder, char *const *found, uint32_t count)
{
    struct pictures *set = builder->set;
    uint32_t next = 0;
    for (uint32_t i = 0; i < set->class_count; i++) {
        set->class_first[i] = set->count;
        if (next < count && strcmp(set->class_names[i], found[next]) == 0)
            TRY(add_class(builder, found[next++]));
    }
    set->class_first[set->class_count] = set->count;
    return TTT_OK;
}

static ttt_status fill_set(struct builder *builder, const struct pictures *like)
{
    struct names names = {0};
    struct pictures *set = builder->set;
    char **sorted = NULL;
    ttt_status status;
    TRY_TO(open_folder(AT_FDCWD, set->folder, set->folder, &builder->folder), cleanup);
    TRY_TO(list_entries(builder->folder, set->folder, true, &names, &set->ignored), cleanup);
    if (names.count == 0) {
        status = ttt_fail(TTT_ARGUMENT, "%s: holds no class folders; pictures stand in %s/CLASS/",
                          set->folder, set->folder);
        goto cleanup;
    }
    sorted = names_sorted(&names);
    if (!sorted) {
        status = no_memory(set->folder);
        goto cleanup;
    }
    if (like) {
        TRY_TO(check_classes(set, sorted, names.count, like), cleanup);
        TRY_TO(name_classes(set, like->class_names, like->class_titles, like->class_count), cleanup);
    } else {
        TRY_TO(name_classes(set, sorted, sorted, names.count), cleanup);
    }
    status = add_classes(builder, sorted, names.count);
cleanup:
    free(sorted);
    free(names.text);
    if (builder->folder)
        closedir(builder->folder);
    return status;
}

/* Titles from ROOT/classes.txt, where it exists. */
static ttt_status read_own_titles(struct pictures *set, const char *root)
{
    char *path;
    if (asprintf(&path, "%s/classes.txt", root) < 0)
        return no_memory(root);
    ttt_status status = access(path, F_OK) == 0 ? pictures_read_titles(set, path) : TTT_OK;
    free(path);
    return status;
}

/* ROOT/split, without doubled slashes; NULL: no memory. */
static char *join(const char *root, const char *split)
{
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        length--;
    char *path;
    int size = *split ? asprintf(&path, "%.*s/%s", (int)length, root, split)
                      : asprintf(&path, "%.*s", (int)length, root);
    return size < 0 ? NULL : path;
}

ttt_status pictures_open(const char *root, const char *split, const struct pictures *like,
                         struct pictures **out)
{
    *out = NULL;
    struct builder builder = {.set = calloc(1, sizeof(*builder.set))};
    if (!builder.set)
        return no_memory(root);
    builder.set->folder = join(root, split);
    ttt_status status = builder.set->folder ? fill_set(&builder, like) : no_memory(root);
    if (!status && !like)
        status = read_own_titles(builder.set, root);
    if (status)
        pictures_free(builder.set);
    else
        *out = builder.set;
    return status;
}

void pictures_free(struct pictures *set)
{
    if (!set)
        return;
    for (uint32_t i = 0; i < set->class_count; i++) {
        free(set->class_names[i]);
        free(set->class_titles[i]);
    }
    free(set->class_names);
    free(set->class_titles);
    free(set->class_first);
    free(set->names);
    free(set->text);
    free(set->folder);
    free(set);
}

bool pictures_exist(const char *root, const char *split)
{
    struct stat information;
    char *path = join(root, split);
    bool exist = path && stat(path, &information) == 0 && S_ISDIR(information.st_mode);
    free(path);
    return exist;
}

uint32_t pictures_label(const struct pictures *set, uint32_t picture)
{
    uint32_t low = 0, high = set->class_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (set->class_first[middle] <= picture)
            low = middle;
        else
            high = middle;
    }
    return low;
}

ttt_status pictures_path(const struct pictures *set, uint32_t picture, char **path)
{
    uint32_t label = pictures_label(set, picture);
    if (asprintf(path, "%s/%s/%s", set->folder, set->class_names[label], set->text + set->names[picture]) >=
        0)
        return TTT_OK;
    *path = NULL;
    return no_memory(set->folder);
}
