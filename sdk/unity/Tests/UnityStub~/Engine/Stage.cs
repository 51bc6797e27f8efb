// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;
using UnityEngine;

namespace Segue.Rehearsal
{
    /// <summary>
    /// As much of a running Unity as a component needs to be rehearsed: objects and their lifecycle, frames, coroutines, a log,
    /// a sound card. The thread that makes it is its main thread; what Unity forbids elsewhere throws elsewhere.
    /// </summary>
    public sealed partial class Stage : IDisposable
    {
        private static volatile Stage _current;
        private readonly int _mainThread = Thread.CurrentThread.ManagedThreadId;
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private readonly List<GameObject> _objects = new List<GameObject>();
        private readonly List<UnityEngine.Object> _doomed = new List<UnityEngine.Object>();
        private readonly Posts _posts = new Posts();
        private readonly SynchronizationContext _before = SynchronizationContext.Current;

        public Stage(int rate = 48000, int channels = 2)
        {
            Rate = rate;
            _channels = channels;
            _current = this;
            // Unity's main thread has one, too: whatever waits there for a continuation that is to run there hangs.
            SynchronizationContext.SetSynchronizationContext(_posts);
            _card = new Thread(PlayCard) { IsBackground = true, Priority = ThreadPriority.AboveNormal };
            _card.Start();
        }

        /// <summary>The stage that is played on.</summary>
        public static Stage Current => _current ?? throw new NotSupportedException("there is no Unity here");

        /// <summary>The same, for its main thread only.</summary>
        public static Stage Main
        {
            get
            {
                var stage = Current;
                if (Thread.CurrentThread.ManagedThreadId != stage._mainThread)
                    throw new InvalidOperationException("can only be called from the main thread");
                return stage;
            }
        }

        /// <summary>Everything that was logged: "warning: …", "error: …", "exception: …", "log: …".</summary>
        public ConcurrentQueue<string> Log { get; } = new ConcurrentQueue<string>();

        public string StreamingAssets { get; set; } = "/nowhere";

        public double Now => _watch.Elapsed.TotalSeconds;

        public int Frames { get; private set; }

        /// <summary>One frame.</summary>
        public void Frame()
        {
            Frames++;
            _posts.Run();
            foreach (var actor in Actors())
                if (actor.IsOn && actor.Update != null) Actor.Guard(actor.Update);
            foreach (var behaviour in Behaviours()) Advance(behaviour);
            foreach (var doomed in _doomed.ToList()) Destroy(doomed, true);
            _doomed.Clear();
        }

        /// <summary>Frames, 60 a second, until something holds.</summary>
        public void Until(Func<bool> holds, string what, double seconds = 12)
        {
            double end = Now + seconds;
            for (double next = Now; ; next += 1.0 / 60)
            {
                Frame();
                if (holds()) return;
                if (Now > end) throw new InvalidOperationException("not within " + seconds + " s: " + what + "; log: " + string.Join(" | ", Log));
                int rest = (int)((next - Now) * 1000);
                if (rest > 0) Thread.Sleep(rest);
            }
        }

        /// <summary>Frames for a while.</summary>
        public void For(double seconds)
        {
            double end = Now + seconds;
            Until(() => Now >= end, "time passes", seconds + 10);
        }

        public void Pause(bool paused)
        {
            foreach (var actor in Actors()) actor.Tell("OnApplicationPause", paused);
        }

        /// <summary>The program, or play mode, ends.</summary>
        public void Quit()
        {
            foreach (var actor in Actors()) actor.Tell("OnApplicationQuit");
            foreach (var thing in _objects.ToList()) Destroy(thing, true);
        }

        public void Dispose()
        {
            foreach (var thing in _objects.ToList()) Destroy(thing, true);
            _stopped = true;
            _card.Join();
            SynchronizationContext.SetSynchronizationContext(_before);
            _current = null;
        }

        internal void Say(string kind, object message, UnityEngine.Object context) => Log.Enqueue(kind + ": " + message);

        internal void Add(GameObject thing) => _objects.Add(thing);

        internal Component AddComponent(GameObject to, Type type)
        {
            foreach (var needed in type.GetCustomAttributes<RequireComponent>(true))
                if (!to.Components.Any(needed.m_Type0.IsInstanceOfType)) AddComponent(to, needed.m_Type0);
            var component = (Component)Activator.CreateInstance(type);
            component.gameObject = to;
            to.Components.Add(component);
            if (component is MonoBehaviour behaviour) behaviour.Actor = new Actor(behaviour);
            Turned(to);
            return component;
        }

        /// <summary>An object or a component was switched on or off.</summary>
        internal void Turned(GameObject thing)
        {
            foreach (var behaviour in thing.Components.OfType<MonoBehaviour>().ToList())
            {
                if (thing.activeSelf) behaviour.Actor.Awake();
                else behaviour.Coroutines.Clear();
                behaviour.Actor.Turn(behaviour.isActiveAndEnabled);
            }
            Cast();
        }

        internal void Destroy(UnityEngine.Object thing, bool now)
        {
            if (thing == null) return;
            if (!now)
            {
                _doomed.Add(thing);
                return;
            }
            if (thing is GameObject whole)
            {
                foreach (var component in whole.Components.ToList()) Destroy(component, true);
                _objects.Remove(whole);
            }
            if (thing is MonoBehaviour behaviour)
            {
                behaviour.Actor.Turn(false);
                behaviour.Actor.Tell("OnDestroy");
                behaviour.Coroutines.Clear();
            }
            thing.IsDestroyed = true;
            Cast();
        }

        internal Coroutine Start(MonoBehaviour behaviour, IEnumerator routine)
        {
            if (!behaviour.gameObject.activeInHierarchy) throw new InvalidOperationException("a coroutine of an inactive object");
            var started = new Coroutine();
            started.Running.Push(routine);
            behaviour.Coroutines.Add(started);
            if (Step(started)) behaviour.Coroutines.Remove(started);
            return started;
        }

        /// <summary>What it waits for goes on by itself: whether Unity stops that, too, is not to matter.</summary>
        internal static void Stop(MonoBehaviour behaviour, Coroutine routine)
        {
            if (!behaviour.Coroutines.Remove(routine) || routine.Running.Count < 2) return;
            var rest = new Coroutine { Waited = routine.Waited };
            rest.Running.Push(routine.Running.Peek());
            behaviour.Coroutines.Add(rest);
        }

        private static void Advance(MonoBehaviour behaviour)
        {
            foreach (var routine in behaviour.Coroutines.ToList())
            {
                if (routine.Waited is AsyncOperation waited && !waited.isDone) continue;
                if (Step(routine)) behaviour.Coroutines.Remove(routine);
            }
        }

        /// <summary>Run up to the next wait; whether it has come to its end.</summary>
        private static bool Step(Coroutine routine)
        {
            bool ends = true;
            Actor.Guard(() =>
            {
                while (routine.Running.Count > 0)
                {
                    if (!routine.Running.Peek().MoveNext())
                    {
                        routine.Running.Pop();
                        continue;
                    }
                    routine.Waited = routine.Running.Peek().Current;
                    if (routine.Waited is IEnumerator inner) routine.Running.Push(inner);
                    else break;
                }
                ends = routine.Running.Count == 0;
            });
            return ends;
        }

        private List<MonoBehaviour> Behaviours() => _objects.SelectMany(thing => thing.Components).OfType<MonoBehaviour>().Where(one => !one.IsDestroyed).ToList();

        private List<Actor> Actors() => Behaviours().Where(behaviour => behaviour.gameObject.activeSelf).Select(behaviour => behaviour.Actor).ToList();

        private sealed class Posts : SynchronizationContext
        {
            private readonly ConcurrentQueue<Action> _waiting = new ConcurrentQueue<Action>();

            public override void Post(SendOrPostCallback callback, object state) => _waiting.Enqueue(() => callback(state));

            public override void Send(SendOrPostCallback callback, object state) => throw new NotSupportedException("it would wait for the main thread");

            public void Run()
            {
                for (int left = _waiting.Count; left > 0 && _waiting.TryDequeue(out var work); left--) Actor.Guard(work);
            }
        }
    }
}
