// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading.Tasks;
using UnityEngine;

namespace Segue
{
    /// <summary>
    /// Sessions that players have let go of and that are freed in the background. Nobody waits for them, except a program
    /// that ends: half a second for all of them together. The main thread's; it holds nothing from one play mode to the next.
    /// </summary>
    internal static class Departures
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(0.5);
        private static readonly List<Departure> UnderWay = new List<Departure>();
        private static readonly Stopwatch Clock = Stopwatch.StartNew();
        private static TimeSpan _until;
        private static int _frame = -1;

        /// <summary>Free a session if it is ours, and let go of its connections.</summary>
        public static void Begin(SoundtrackSession session, SegueClient client)
        {
            UnderWay.RemoveAll(departure => departure.Task.IsCompleted);
            UnderWay.Add(new Departure(session, client, Task.Run(() => LeaveAsync(session, client))));
        }

        /// <summary>Wait for them, as the program ends; the sockets of those that take too long are closed.</summary>
        public static void Await()
        {
            // Every player asks, one after the other in the same frame, and all of them have the same half second.
            if (Time.frameCount != _frame || Clock.Elapsed > _until + Patience) _until = Clock.Elapsed + Patience;
            _frame = Time.frameCount;
            var left = _until - Clock.Elapsed;
            if (left > TimeSpan.Zero) Task.WaitAll(UnderWay.Select(departure => departure.Task).ToArray(), left);
            foreach (var departure in UnderWay.Where(departure => !departure.Task.IsCompleted))
            {
                Task.Run(() =>
                {
                    departure.Session.Dispose();
                    departure.Client.Dispose();
                });
            }
            UnderWay.Clear();
        }

        private static async Task LeaveAsync(SoundtrackSession session, SegueClient client)
        {
            try
            {
                if (!session.IsOurs) return;
                // What is being created would take up its place on the server until its grace period is over.
                if (session.Id == null && session.State == ConnectionState.Connecting) await session.GetAsync().ConfigureAwait(false);
                // The stream first: its socket is not to wait for an answer.
                session.Dispose();
                await session.CloseAsync().ConfigureAwait(false);
            }
            catch (Exception error) when (error is SegueException || error is OperationCanceledException || error is ObjectDisposedException)
            {
                // The server frees it by itself, when nobody has listened for its grace period.
            }
            finally
            {
                session.Dispose();
                client.Dispose();
            }
        }

        private sealed class Departure
        {
            public readonly SoundtrackSession Session;
            public readonly SegueClient Client;
            public readonly Task Task;

            public Departure(SoundtrackSession session, SegueClient client, Task task)
            {
                Session = session;
                Client = client;
                Task = task;
            }
        }
    }
}
