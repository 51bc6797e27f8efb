// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using System.Threading.Tasks;

namespace Segue
{
    /// <summary>
    /// Controls one after the other, on worker threads: requests of their own connections might overtake each other, and a
    /// state that was set first must not win. Any thread.
    /// </summary>
    public sealed class ControlLine
    {
        /// <summary>Controls that may wait; while the network is gone, more would only come too late.</summary>
        public const int Most = 32;

        private readonly object _lock = new object();
        private Task _last = Task.CompletedTask;
        private int _waiting;

        /// <summary>Controls that wait or are under way.</summary>
        public int Waiting => Volatile.Read(ref _waiting);

        /// <summary>Send a control when those before it are done. Fails with a SegueException if too many wait.</summary>
        public Task Send(Func<Task> control)
        {
            lock (_lock)
            {
                if (_waiting >= Most)
                    return Task.FromException(new SegueException(StatusCode.Unavailable, "a control was dropped: " + Most + " others wait for the network"));
                Interlocked.Increment(ref _waiting);
                _last = _last.ContinueWith(_ => control(), TaskScheduler.Default).Unwrap();
                _last.ContinueWith(_ => Interlocked.Decrement(ref _waiting), TaskContinuationOptions.ExecuteSynchronously);
                return _last;
            }
        }
    }
}
