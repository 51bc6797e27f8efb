// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Segue.Audio;

namespace Segue
{
    /// <summary>
    /// The baked loop of the state that the music is in, ready before it is needed, and the clips of stingers. Any thread.
    /// </summary>
    public sealed class Fallback
    {
        private readonly SoundtrackMixer _mixer;
        private readonly Dictionary<string, Recording> _clips = new Dictionary<string, Recording>();
        private readonly object _lock = new object();
        private BakedFolder _baked;
        private string _state = "";
        private Task _work = Task.CompletedTask;

        internal Fallback(SoundtrackMixer mixer) => _mixer = mixer;

        /// <summary>The state whose loop is (or would be) ready.</summary>
        public string State
        {
            get { lock (_lock) return _state; }
        }

        /// <summary>A file that could not be read, on a worker thread; the music goes on without it.</summary>
        public event Action<Exception> Failed;

        /// <summary>
        /// Use what `segue bake` wrote. Loops are read when their state is entered, clips at once; both on a worker thread.
        /// </summary>
        public void Use(BakedFolder baked, string initialState = "")
        {
            lock (_lock)
            {
                _baked = baked;
                string state = _state.Length > 0 ? _state : initialState.Length > 0 ? initialState : baked.Initial;
                _state = "";
                foreach (string name in baked.Stingers)
                {
                    Later(() =>
                    {
                        var clip = baked.Stinger(name, out float _);
                        lock (_lock) _clips[name] = clip;
                    });
                }
                Enter(state);
            }
        }

        /// <summary>A recording for a clip stinger, by its path in the soundtrack or its name.</summary>
        public void Add(string clip, Recording recording)
        {
            lock (_lock) _clips[clip] = recording;
        }

        internal Recording Clip(string name, string path)
        {
            lock (_lock)
                return _clips.TryGetValue(path, out var found) || _clips.TryGetValue(name, out found) ? found : null;
        }

        internal void Enter(string state)
        {
            lock (_lock)
            {
                if (state == _state || state.Length == 0) return;
                _state = state;
                var baked = _baked;
                if (baked == null) return;
                Later(() =>
                {
                    if (State != state) return;
                    var loop = baked.Loop(state);
                    if (loop != null && State == state) _mixer.Fallback.Set(loop);
                });
            }
        }

        /// <summary>Do it after what was begun before.</summary>
        private void Later(Action work)
        {
            _work = _work.ContinueWith(
                _ =>
                {
                    try
                    {
                        work();
                    }
                    catch (Exception error)
                    {
                        Failed?.Invoke(error);
                    }
                },
                TaskScheduler.Default);
        }
    }
}
