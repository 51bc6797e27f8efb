// SPDX-License-Identifier: Apache-2.0
using System;
using System.Reflection;
using UnityEngine;

namespace Segue.Rehearsal
{
    /// <summary>What Unity calls of a MonoBehaviour, by name; an exception is logged and goes no further, as in Unity.</summary>
    internal sealed class Actor
    {
        private readonly MonoBehaviour _behaviour;
        private bool _isAwake;

        public Actor(MonoBehaviour behaviour)
        {
            _behaviour = behaviour;
            Update = Find<Action>("Update");
            Filter = Find<Action<float[], int>>("OnAudioFilterRead");
        }

        /// <summary>Every frame; null if it has none.</summary>
        public Action Update { get; }

        /// <summary>The audio thread's; null if it has none.</summary>
        public Action<float[], int> Filter { get; }

        /// <summary>Whether OnEnable was called last, rather than OnDisable.</summary>
        public bool IsOn { get; private set; }

        public void Awake()
        {
            if (_isAwake) return;
            _isAwake = true;
            Tell("Awake");
        }

        public void Turn(bool on)
        {
            if (on == IsOn) return;
            IsOn = on;
            Tell(on ? "OnEnable" : "OnDisable");
        }

        public void Tell(string name)
        {
            var call = Find<Action>(name);
            if (call != null) Guard(call);
        }

        public void Tell(string name, bool value)
        {
            var call = Find<Action<bool>>(name);
            if (call != null) Guard(() => call(value));
        }

        public static void Guard(Action call)
        {
            try
            {
                call();
            }
            catch (Exception error)
            {
                Debug.LogException(error);
            }
        }

        private T Find<T>(string name)
            where T : Delegate
        {
            var found = _behaviour.GetType().GetMethod(name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
            return found == null ? null : (T)Delegate.CreateDelegate(typeof(T), _behaviour, found);
        }
    }
}
