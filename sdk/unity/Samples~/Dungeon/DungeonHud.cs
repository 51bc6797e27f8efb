// SPDX-License-Identifier: Apache-2.0
using UnityEngine;

namespace Segue.Samples
{
    /// <summary>What the music is doing, as text in a corner.</summary>
    public sealed class DungeonHud : MonoBehaviour
    {
        private DungeonGame _game;
        private SoundtrackPlayer _music;
        private string _change = "";

        /// <summary>Show this game and its music.</summary>
        public void Show(DungeonGame game, SoundtrackPlayer music)
        {
            _game = game;
            _music = music;
            music.OnTransitionStarted += begun => _change = " → " + begun.ToState;
            music.OnTransitionFinished += done => _change = "";
        }

        private void OnGUI()
        {
            GUILayout.BeginArea(new Rect(20f, 20f, 520f, 160f));
            GUILayout.Label("music: " + _music.MusicState + _change + "    (" + _music.State + ")");
            GUILayout.Label("danger " + _game.DangerNow.ToString("0.00"));
            GUILayout.Label(_game.News);
            GUILayout.EndArea();
        }
    }
}
