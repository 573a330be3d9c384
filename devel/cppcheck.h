/* cppcheck: what ./dev lint tells cppcheck of jansson and sys/queue.h, whose headers it does not read. Not part of any program. */
#define json_array_foreach(array, i, value) for (i = 0; (value = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value) \
        for (key = json_object_iter_key(object); (value = json_object_get(object, key)); key = json_object_iter_key(object))
#define TAILQ_FOREACH(item, list, field) for (item = TAILQ_FIRST(list); item; item = TAILQ_NEXT(item, field))
