/* task: the queue, the thread and the way back. */
#include "signer/engine/task.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void list_put(struct task_list *list, struct task *task)
{
        task->next = NULL;
        if (list->last)
                list->last->next = task;
        else
                list->first = task;
        list->last = task;
}

static struct task *list_take(struct task_list *list)
{
        struct task *task = list->first;

        if (!task)
                return NULL;
        list->first = task->next;
        if (!list->first)
                list->last = NULL;
        task->next = NULL;
        return task;
}

static struct task *take_most_urgent(struct runner *r)
{
        for (unsigned i = 0; i < TASK_PRIORITY_N; i++) {
                struct task *task = list_take(&r->waiting[i]);

                if (task) {
                        r->n_waiting--;
                        return task;
                }
        }
        return NULL;
}

/* NULL: stop. */
static struct task *wait_for_task(struct runner *r)
{
        struct task *task = NULL;

        pthread_mutex_lock(&r->lock);
        while (!r->stop && !(task = take_most_urgent(r)))
                pthread_cond_wait(&r->wake, &r->lock);
        pthread_mutex_unlock(&r->lock);
        return task;
}

static void finish(struct runner *r, struct task *task)
{
        uint64_t one = 1;

        pthread_mutex_lock(&r->lock);
        list_put(&r->finished, task);
        pthread_mutex_unlock(&r->lock);
        while (write(r->finished_fd, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
}

static void *run(void *arg)
{
        struct runner *r = arg;
        struct task *task;

        pthread_setname_np(pthread_self(), r->name);
        while ((task = wait_for_task(r))) {
                task->result = r->execute ? r->execute(r, task) : task->work(task, NULL);
                finish(r, task);
        }
        return NULL;
}

enum err runner_start(struct runner *r)
{
        int error;

        r->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (r->finished_fd < 0)
                return err_from_errno(errno);
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->wake, NULL);
        error = pthread_create(&r->thread, NULL, run, r);
        if (error != 0) {
                close(r->finished_fd);
                return err_from_errno(error);
        }
        r->started = true;
        return OK;
}

void runner_submit(struct runner *r, struct task *task)
{
        pthread_mutex_lock(&r->lock);
        list_put(&r->waiting[task->priority], task);
        r->n_waiting++;
        pthread_cond_signal(&r->wake);
        pthread_mutex_unlock(&r->lock);
}

void runner_reap(struct runner *r)
{
        struct task_list finished;
        struct task *task;
        uint64_t count;

        /* Emptied before the list is taken: what finishes afterwards makes it readable again. */
        while (read(r->finished_fd, &count, sizeof(count)) < 0 && errno == EINTR)
                ;
        pthread_mutex_lock(&r->lock);
        finished = r->finished;
        r->finished = (struct task_list){0};
        pthread_mutex_unlock(&r->lock);
        while ((task = list_take(&finished)))
                if (task->done)
                        task->done(task);
}

void runner_stop(struct runner *r)
{
        if (!r->started)
                return;
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_cond_signal(&r->wake);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        close(r->finished_fd);
        pthread_cond_destroy(&r->wake);
        pthread_mutex_destroy(&r->lock);
        r->started = false;
}

unsigned runner_waiting(struct runner *r)
{
        unsigned n;

        pthread_mutex_lock(&r->lock);
        n = r->n_waiting;
        pthread_mutex_unlock(&r->lock);
        return n;
}
